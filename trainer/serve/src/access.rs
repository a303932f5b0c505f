//! Access control: requests need a bearer token, or must come from this machine and not from a page of another site.

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::Response;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::error_response::ErrorResponse;

/// Shortest token that is accepted: 16 characters of base64 are 96 bits.
const MIN_TOKEN: usize = 16;

/// Who may send requests.
pub enum Access {
    /// Clients that send the token. Only its SHA-256 is kept: the comparison of hashes, which all have one length,
    /// reveals nothing about the token.
    Token([u8; 32]),
    /// Clients on this machine.
    Local,
}

impl Access {
    /// Reads the token from a file, or allows this machine only if there is no file.
    ///
    /// # Errors
    /// Fails if the file cannot be read or holds no valid token. The error names the file.
    pub fn new(token_file: Option<&Path>) -> Result<Self> {
        let Some(path) = token_file else { return Ok(Self::Local) };
        let context = || format!("reading the token in {}", path.display());
        let text = fs::read_to_string(path).with_context(context)?;
        Ok(Self::Token(hash(parse_token(&text).with_context(context)?)))
    }

    fn allows(&self, headers: &HeaderMap) -> Result<(), ErrorResponse> {
        let Self::Token(expected) = self else { return Ok(()) };
        let refused = |error| Err(ErrorResponse::new(StatusCode::UNAUTHORIZED, error).with_reason("unauthorized"));
        let Some(header) = headers.get(AUTHORIZATION) else {
            return refused("the request has no token: send the header `Authorization: Bearer TOKEN`");
        };
        let token = header.to_str().ok().and_then(|header| header.split_once(' '));
        let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
        match token {
            Some(token) if bool::from(hash(token).ct_eq(expected)) => Ok(()),
            _ => refused("the token is wrong: send the header `Authorization: Bearer TOKEN`"),
        }
    }
}

/// Middleware that refuses requests without the token, if the server has one.
pub async fn token(State(access): State<Arc<Access>>, request: Request, next: Next) -> Result<Response, ErrorResponse> {
    access.allows(request.headers())?;
    Ok(next.run(request).await)
}

/// Middleware that refuses requests that name another machine, if the server has no token.
///
/// A page of another site can resolve its own name to 127.0.0.1, or post a form to this server. The browser then sends
/// that name in the header `Host` or `Origin`.
pub async fn this_machine(
    State(access): State<Arc<Access>>,
    request: Request,
    next: Next,
) -> Result<Response, ErrorResponse> {
    if matches!(*access, Access::Local) {
        check_names(request.uri(), request.headers())?;
    }
    Ok(next.run(request).await)
}

fn check_names(uri: &Uri, headers: &HeaderMap) -> Result<(), ErrorResponse> {
    let mut hosts = headers.get_all(HOST).iter();
    let (host, more) = (hosts.next(), hosts.next());
    let named: Option<Authority> = host.and_then(|host| host.to_str().ok()?.parse().ok());
    let Some(named) = named.filter(|_| more.is_none()) else {
        return Err(ErrorResponse::new(
            StatusCode::BAD_REQUEST,
            "expected one header `Host` with the name of this machine",
        )
        .with_reason("host"));
    };
    if !names_this_machine(&named) || uri.authority().is_some_and(|authority| !names_this_machine(authority)) {
        let error =
            format!("{named} is not a name of this machine: use localhost, or start the server with --token-file");
        return Err(ErrorResponse::new(StatusCode::MISDIRECTED_REQUEST, error).with_reason("host"));
    }
    if let Some(origin) = headers.get(ORIGIN) {
        let origin: Option<Uri> = origin.to_str().ok().and_then(|origin| origin.parse().ok());
        if !origin.is_some_and(|origin| origin.authority().is_some_and(names_this_machine)) {
            let error = "requests from pages of other sites are refused";
            return Err(ErrorResponse::new(StatusCode::FORBIDDEN, error).with_reason("origin"));
        }
    }
    Ok(())
}

fn names_this_machine(authority: &Authority) -> bool {
    let host = authority.host();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse().map(is_loopback);
    host.eq_ignore_ascii_case("localhost") || address.unwrap_or(false)
}

/// Whether the address is reachable from this machine only.
pub fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// Trims a token and checks its length and characters.
fn parse_token(text: &str) -> Result<&str> {
    let token = text.trim();
    if token.chars().count() < MIN_TOKEN {
        bail!("expected one line of at least {MIN_TOKEN} characters, such as `openssl rand -hex 24` prints");
    }
    if token.chars().any(|c| !c.is_ascii_graphic()) {
        bail!("expected one line of ASCII characters without spaces, such as `openssl rand -hex 24` prints");
    }
    Ok(token)
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// Whether other users of this machine can read the file; `false` on systems other than Unix.
#[cfg(unix)]
pub fn others_may_read(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

/// Whether other users of this machine can read the file; `false` on systems other than Unix.
#[cfg(not(unix))]
pub fn others_may_read(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_accepted() {
        let is_accepted = |name: &str| names_this_machine(&name.parse().unwrap());
        for name in ["localhost", "LOCALHOST:80", "127.0.0.1:8080", "127.8.8.8", "[::1]:8080", "[::ffff:127.0.0.1]"] {
            assert!(is_accepted(name), "{name}");
        }
        for name in ["example.org", "localhost.example.org", "10.0.0.1", "[::]:80", "127.0.0.1.example.org", "0.0.0.0"]
        {
            assert!(!is_accepted(name), "{name}");
        }
    }

    #[test]
    fn a_token_is_one_line_of_at_least_16_characters() {
        assert_eq!(parse_token("\n 0123456789abcdef \r\n").unwrap(), "0123456789abcdef");
        for text in ["", "\n", "0123456789abcde", "0123456789abcdef\n0123456789abcdef", "0123456789 abcdef"] {
            assert!(parse_token(text).is_err(), "{text:?}");
        }
    }
}
