//! Addresses to listen on: `HOST:PORT`.

/// Checks the form of an address. Whether its host exists shows when it is listened on.
pub(crate) fn parse(text: &str) -> Result<String, String> {
    let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
    let is_plain = !host.is_empty() && !host.contains(':');
    let is_ipv6 = host.starts_with('[') && host.ends_with(']');
    if port.parse::<u16>().is_ok() && (is_plain || is_ipv6) {
        return Ok(text.to_owned());
    }
    // A lone port is most likely meant for this machine.
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let port = match text.trim_start_matches(':').parse::<u16>() {
        Ok(_) => &digits,
        Err(_) => "8980",
    };
    Err(format!("write HOST:PORT, such as 127.0.0.1:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_and_a_port_are_needed() {
        for good in ["127.0.0.1:0", "localhost:8980", "[::]:8980", "0.0.0.0:80"] {
            assert_eq!(parse(good).as_deref(), Ok(good));
        }
        for (bad, port) in [
            ("8990", "8990"),
            (":8990", "8990"),
            ("", "8980"),
            ("localhost", "8980"),
            ("127.0.0.1", "8980"),
            ("::1:8980", "8980"),
            ("localhost:99999", "8980"),
        ] {
            let why = parse(bad).unwrap_err();
            assert_eq!(
                why,
                format!("write HOST:PORT, such as 127.0.0.1:{port}"),
                "{bad}"
            );
        }
    }
}
