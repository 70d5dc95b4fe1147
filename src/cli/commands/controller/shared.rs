//! What is the same in every replica, wherever its checkout is: files without the folders above the configuration.

use std::path::Path;

/// The name of a file in every replica: `conf/hr.yaml` for `-f /srv/a/conf`, and for `-f conf`.
pub(super) fn name<'n>(file: &'n str, config: &Path) -> &'n str {
    let above = config.parent().unwrap_or(config);
    let rest = Path::new(file).strip_prefix(above).ok();
    let rest = rest.and_then(Path::to_str).unwrap_or(file);
    rest.strip_prefix("./").unwrap_or(rest)
}

/// What people are told is compared by this: lines without those folders. `None` if they name none.
pub(super) fn version(lines: &[String], config: &Path) -> Option<String> {
    let last = config.file_name()?.to_string_lossy();
    let whole = config.to_string_lossy();
    let whole = whole.trim_end_matches('/');
    if whole == last || !lines.iter().any(|line| line.contains(whole)) {
        return None;
    }
    Some(lines.join("\n").replace(whole, &last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkouts_at_other_places_give_the_same() {
        let lines = |config: &str| {
            let place = format!("`{config}/hr.yaml:1:16`: [E001]");
            vec![place, format!("  help: see {config}/acme.yaml")]
        };
        let versions = ["/srv/a/conf", "/srv/b/conf", "../conf", "./conf"].map(|config| {
            let file = format!("{config}/hr.yaml");
            for with in [config.to_owned(), format!("{config}/")] {
                assert_eq!(name(&file, Path::new(&with)), "conf/hr.yaml");
            }
            version(&lines(config), Path::new(config)).unwrap()
        });
        assert!(
            versions.iter().all(|one| *one == versions[0]),
            "{versions:?}"
        );
        let other = version(
            &["`/srv/a/conf/hr.yaml`".to_owned()],
            Path::new("/srv/a/conf"),
        );
        assert_ne!(other.as_ref(), Some(&versions[0]));
        // These are the same everywhere.
        assert_eq!(version(&lines("conf"), Path::new("conf")), None);
        assert_eq!(
            version(&["no answer".to_owned()], Path::new("/a/conf")),
            None
        );
        for (file, config, shared) in [
            ("conf/hr.yaml", "conf", "conf/hr.yaml"),
            ("./hr.yaml", ".", "hr.yaml"),
            ("/srv/a/all.yaml", "/srv/a/all.yaml", "all.yaml"),
            ("conf/hr.yaml", "/", "conf/hr.yaml"),
        ] {
            assert_eq!(name(file, Path::new(config)), shared);
        }
    }
}
