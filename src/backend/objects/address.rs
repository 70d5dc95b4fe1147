//! `s3://bucket/key?…` and `cos://bucket-appid/key?…`: where a state is, and how its objects are addressed.

use url::Url;

use super::signature::encode_path;
use crate::client::{Endpoint, EndpointError};
use crate::state::Place;

/// Which protocol the store speaks where they differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    S3,
    Cos,
}

/// The address of a state, as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) dialect: Dialect,
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) region: Option<String>,
    pub(super) endpoint: Option<String>,
    pub(super) path_style: Option<bool>,
}

/// Where the requests go.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) endpoint: Endpoint,
    pub(super) region: String,
    /// What the path of every request begins with: empty, or `/bucket`.
    pub(super) prefix: String,
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    /// What is wrong, and what to write instead. A user or a password is not repeated.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| format!("it is not a URL ({error})"))?;
        // Reading it as a URL has resolved these.
        let path = text.split(['?', '#']).next().unwrap_or_default();
        let is_dots = |part: &str| {
            let part = part.to_ascii_lowercase().replace("%2e", ".");
            part == "." || part == ".."
        };
        if path.split('/').any(is_dots) {
            return Err("its key has an empty part, `.` or `..` between slashes".into());
        }
        let (dialect, form) = match url.scheme() {
            "s3" => (Dialect::S3, "s3://bucket/key"),
            "cos" => (Dialect::Cos, "cos://bucket-appid/key?region=ap-guangzhou"),
            other => return Err(format!("`{other}` is not the scheme of an object store")),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "it has a user or a password, which an address never needs: credentials come from the environment"
                    .into(),
            );
        }
        if url.port().is_some() {
            return Err(format!(
                "a bucket has no port: write {form}, and the server as `endpoint=https://…`"
            ));
        }
        if url.fragment().is_some() {
            return Err("it has a fragment (`#…`): write `#` in a key as `%23`".into());
        }
        let bucket = url.host_str().unwrap_or_default().to_owned();
        if bucket.is_empty() {
            return Err(format!("it has no bucket: write {form}"));
        }
        check_bucket(dialect, &bucket)?;
        let key = decoded(url.path().strip_prefix('/').unwrap_or_default())?;
        check_key(&key, form)?;
        let mut address = Self {
            dialect,
            bucket,
            key,
            region: None,
            endpoint: None,
            path_style: None,
        };
        let mut seen = Vec::new();
        for (name, value) in url.query_pairs() {
            if seen.contains(&name) {
                return Err(format!("it has `{}` twice", plain(&name)));
            }
            address.set(&name, &value)?;
            seen.push(name);
        }
        if dialect == Dialect::Cos && address.region.is_none() {
            return Err(format!("it has no region: write {form}"));
        }
        Ok(address)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        if value.is_empty() {
            return Err(format!("`{}` has no value", plain(name)));
        }
        match (name, self.dialect) {
            ("region", _) => {
                check_region(value)?;
                self.region = Some(value.to_owned());
            }
            ("endpoint", _) => {
                server(value, "endpoint=")?;
                self.endpoint = Some(value.to_owned());
            }
            ("path_style", Dialect::S3) => {
                self.path_style = Some(match value {
                    "true" => true,
                    "false" => false,
                    _ => return Err("`path_style` must be `true` or `false`".into()),
                });
            }
            (_, Dialect::S3) => {
                return Err(format!(
                    "unknown parameter `{}`: s3:// has `region`, `endpoint` and `path_style`",
                    plain(name)
                ));
            }
            (_, Dialect::Cos) => {
                return Err(format!(
                    "unknown parameter `{}`: cos:// has `region` and `endpoint`",
                    plain(name)
                ));
            }
        }
        Ok(())
    }

    /// What it is called in messages. It has no credentials.
    pub(super) fn place(&self) -> Place {
        let scheme = match self.dialect {
            Dialect::S3 => "s3",
            Dialect::Cos => "cos",
        };
        Place::new(format!("{scheme}://{}/{}", self.bucket, self.key))
    }

    /// Where the requests go. What the address leaves open comes from `endpoint` and `region` of the environment.
    ///
    /// # Errors
    /// What is wrong, and what to do.
    pub(super) fn target(
        &self,
        endpoint: Option<&str>,
        region: Option<&str>,
    ) -> Result<Target, (String, &'static str)> {
        let bucket = &self.bucket;
        let endpoint = self.endpoint.as_deref().or(endpoint);
        let region = self.region.as_deref().or(region);
        let region = match (region, endpoint) {
            (Some(region), _) => {
                check_region(region).map_err(|problem| (problem, CORRECT))?;
                region
            }
            // Self-hosted stores accept it, and those that do not say which they want.
            (None, Some(_)) => "us-east-1",
            (None, None) => {
                return Err((
                    "there is no region".into(),
                    "Add `?region=…` to the address, or set AWS_REGION.",
                ));
            }
        };
        let parsed = |text: &str| server(text, "").map_err(|problem| (problem, CORRECT));
        let (base, path_style) = match (endpoint, self.dialect) {
            (Some(endpoint), Dialect::S3) => (parsed(endpoint)?, self.path_style.unwrap_or(true)),
            // The host of a COS endpoint is the bucket's, or a gateway that takes the bucket in the path.
            (Some(endpoint), Dialect::Cos) => {
                let endpoint = parsed(endpoint)?;
                let of_bucket = endpoint.host().starts_with(&format!("{bucket}."));
                (endpoint, !of_bucket)
            }
            (None, Dialect::S3) => {
                let china = if region.starts_with("cn-") { ".cn" } else { "" };
                let base = parsed(&format!("https://s3.{region}.amazonaws.com{china}/"))?;
                // The certificate of AWS covers one label before it.
                (base, self.path_style.unwrap_or(bucket.contains('.')))
            }
            (None, Dialect::Cos) => {
                let host = format!("https://{bucket}.cos.{region}.myqcloud.com/");
                (parsed(&host)?, false)
            }
        };
        let of_bucket = base.host().starts_with(&format!("{bucket}."));
        let (endpoint, prefix) = if path_style {
            (base, format!("/{}", encode_path(bucket)))
        } else if of_bucket {
            (base, String::new())
        } else {
            let scheme = if base.is_https() { "https" } else { "http" };
            let host = base.host();
            (
                parsed(&format!("{scheme}://{bucket}.{host}/"))?,
                String::new(),
            )
        };
        Ok(Target {
            endpoint,
            region: region.to_owned(),
            prefix,
        })
    }
}

/// What to do when what the environment says can't be used.
pub(super) const CORRECT: &str =
    "Correct AWS_REGION or AWS_ENDPOINT_URL, or add `?region=…` or `?endpoint=…` to the address.";

/// The server at this address, which is written after `name`.
fn server(text: &str, name: &str) -> Result<Endpoint, String> {
    Endpoint::parse(text).map_err(|error| match error {
        EndpointError::NotAUrl(text) => {
            format!("the endpoint `{text}` is not a URL: write `{name}https://HOST`")
        }
        EndpointError::NotSecure(text) => format!(
            "the endpoint {text} is not https; plain http would show the state, with callback URLs, to everybody on the \
             way, so it is allowed to this machine only (`{name}http://127.0.0.1:PORT`)"
        ),
        EndpointError::TooMuch(text) => format!(
            "the endpoint `{text}` has more than a scheme, a host and a port: write `{name}https://HOST`"
        ),
    })
}

fn check_bucket(dialect: Dialect, bucket: &str) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if !bucket.bytes().all(allowed) || bucket.contains("..") {
        return Err(format!("`{}` is not the name of a bucket", plain(bucket)));
    }
    let app_id = bucket.rsplit_once('-').map(|(_, id)| id);
    let has_id = app_id.is_some_and(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()));
    if dialect == Dialect::Cos && !has_id {
        return Err(format!(
            "the bucket `{bucket}` has no APPID: its full name ends with one, as in `{bucket}-1250000000`"
        ));
    }
    Ok(())
}

fn check_key(key: &str, form: &str) -> Result<(), String> {
    if key.is_empty() {
        return Err(format!("it has no key: write {form}"));
    }
    // URLs are normalized on the way, so these would name other objects than they seem to.
    if key.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err("its key has an empty part, `.` or `..` between slashes".into());
    }
    if key.len() > 900 || key.chars().any(char::is_control) {
        return Err("its key is longer than 900 bytes or has control characters".into());
    }
    Ok(())
}

fn check_region(region: &str) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if region.is_empty() || region.len() > 64 || !region.bytes().all(allowed) {
        return Err(format!("`{}` is not a region", plain(region)));
    }
    Ok(())
}

/// The text behind percent signs.
fn decoded(path: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first == b'%' {
            let code = after.get(..2).and_then(|digits| {
                let mut byte = [0];
                hex::decode_to_slice(digits, &mut byte).ok()?;
                Some(byte[0])
            });
            let Some(code) = code else {
                return Err("its key has a `%` that no code follows: write `%25`".into());
            };
            bytes.push(code);
            rest = &after[2..];
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).map_err(|_| "its key is not UTF-8".into())
}

/// A part of an address that may be anything, for a message.
fn plain(text: &str) -> String {
    text.chars()
        .take(60)
        .flat_map(char::escape_default)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_exactly() {
        for (text, problem) in [
            ("s3:///key", "it has no bucket: write s3://bucket/key"),
            ("s3://bucket", "it has no key: write s3://bucket/key"),
            ("s3://bucket/", "it has no key: write s3://bucket/key"),
            (
                "s3://AKID:canary@bucket/key",
                "it has a user or a password, which an address never needs: credentials come from the environment",
            ),
            (
                "s3://bucket:9000/key",
                "a bucket has no port: write s3://bucket/key, and the server as `endpoint=https://…`",
            ),
            (
                "s3://bucket/key?regoin=x",
                "unknown parameter `regoin`: s3:// has `region`, `endpoint` and `path_style`",
            ),
            ("s3://bucket/key?region=a&region=b", "it has `region` twice"),
            ("s3://bucket/key?region=", "`region` has no value"),
            ("s3://bucket/key?region=a/b", "`a/b` is not a region"),
            (
                "s3://bucket/key?path_style=yes",
                "`path_style` must be `true` or `false`",
            ),
            (
                "s3://bucket/a//b",
                "its key has an empty part, `.` or `..` between slashes",
            ),
            (
                "s3://bucket/a%zz",
                "its key has a `%` that no code follows: write `%25`",
            ),
            (
                "s3://bucket/a#b",
                "it has a fragment (`#…`): write `#` in a key as `%23`",
            ),
            (
                "cos://bucket/key?region=ap-guangzhou",
                "the bucket `bucket` has no APPID: its full name ends with one, as in `bucket-1250000000`",
            ),
            (
                "cos://b-1250000000/key",
                "it has no region: write cos://bucket-appid/key?region=ap-guangzhou",
            ),
            (
                "cos://b-1250000000/key?region=ap-guangzhou&path_style=true",
                "unknown parameter `path_style`: cos:// has `region` and `endpoint`",
            ),
            (
                "gs://bucket/key",
                "`gs` is not the scheme of an object store",
            ),
        ] {
            assert_eq!(Address::parse(text).unwrap_err(), problem, "{text}");
        }
        let insecure =
            Address::parse("s3://bucket/key?endpoint=http://me:canary@minio:9000").unwrap_err();
        assert!(insecure.contains("is not https"), "{insecure}");
        assert!(!insecure.contains("canary"), "{insecure}");
    }

    #[test]
    fn an_endpoint_is_refused_in_the_words_of_a_store() {
        let mut said = Vec::new();
        for endpoint in [
            "minio",
            "http://minio.example:9000",
            "https://minio.example/s3",
        ] {
            let text = format!("s3://bucket/key?endpoint={endpoint}");
            said.push(Address::parse(&text).unwrap_err());
        }
        let address = Address::parse("s3://bucket/key").unwrap();
        for (endpoint, region) in [(Some("minio"), None), (None, Some("a/b")), (None, None)] {
            let (problem, advice) = address.target(endpoint, region).unwrap_err();
            said.extend([problem, format!("  {advice}")]);
        }
        insta::assert_snapshot!(said.join("\n"), @r"
        the endpoint `minio` is not a URL: write `endpoint=https://HOST`
        the endpoint http://minio.example:9000 is not https; plain http would show the state, with callback URLs, to everybody on the way, so it is allowed to this machine only (`endpoint=http://127.0.0.1:PORT`)
        the endpoint `https://minio.example/s3` has more than a scheme, a host and a port: write `endpoint=https://HOST`
        the endpoint `minio` is not a URL: write `https://HOST`
          Correct AWS_REGION or AWS_ENDPOINT_URL, or add `?region=…` or `?endpoint=…` to the address.
        `a/b` is not a region
          Correct AWS_REGION or AWS_ENDPOINT_URL, or add `?region=…` or `?endpoint=…` to the address.
        there is no region
          Add `?region=…` to the address, or set AWS_REGION.
        ");
    }

    #[test]
    fn where_requests_go() {
        let target = |text: &str, endpoint: Option<&str>, region: Option<&str>| {
            let target = Address::parse(text)
                .unwrap()
                .target(endpoint, region)
                .unwrap();
            format!("{} {}{}", target.region, target.endpoint, target.prefix)
        };
        for (text, expected) in [
            (
                "s3://b/k?region=eu-west-1",
                "eu-west-1 https://b.s3.eu-west-1.amazonaws.com/",
            ),
            (
                "s3://b.c/k?region=eu-west-1",
                "eu-west-1 https://s3.eu-west-1.amazonaws.com//b.c",
            ),
            (
                "s3://b/k?region=cn-north-1",
                "cn-north-1 https://b.s3.cn-north-1.amazonaws.com.cn/",
            ),
            (
                "s3://b/k?endpoint=https://minio.example:9000",
                "us-east-1 https://minio.example:9000//b",
            ),
            (
                "s3://b/k?endpoint=https://r2.example&path_style=false&region=auto",
                "auto https://b.r2.example/",
            ),
            (
                "cos://b-125/k?region=ap-guangzhou",
                "ap-guangzhou https://b-125.cos.ap-guangzhou.myqcloud.com/",
            ),
            (
                "cos://b-125/k?region=ap-guangzhou&endpoint=https://b-125.cos-internal.ap-guangzhou.tencentcos.cn",
                "ap-guangzhou https://b-125.cos-internal.ap-guangzhou.tencentcos.cn/",
            ),
        ] {
            assert_eq!(target(text, None, None), expected, "{text}");
        }
        assert_eq!(
            target("s3://b/k", Some("http://127.0.0.1:9"), Some("r-1")),
            "r-1 http://127.0.0.1:9//b"
        );
    }

    #[test]
    fn a_key_is_decoded_once() {
        let address = Address::parse("s3://b/team%20a/%E7%8A%B6%E6%80%81%2523?region=r").unwrap();
        assert_eq!(address.key, "team a/状态%23");
        assert_eq!(address.place().to_string(), "s3://b/team a/状态%23");
    }
}
