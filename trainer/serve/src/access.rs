//! Who may ask: a bearer token, or else only this machine and no page of another site.

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

use crate::refusal::Refusal;

/// Shortest token that is taken: 16 characters of base64 are 96 bits.
const MIN_TOKEN: usize = 16;

/// Whoever knows the token, or whoever is on this machine.
pub enum Access {
    /// The token's hash: hashes are of one length, so that comparing them tells nothing of it.
    Token([u8; 32]),
    /// No token.
    Local,
}

impl Access {
    /// Reads the token, if there is a file for one.
    ///
    /// # Errors
    /// Names the file and what is wrong in it.
    pub fn new(token_file: Option<&Path>) -> Result<Self> {
        let Some(path) = token_file else { return Ok(Self::Local) };
        let context = || format!("reading the token in {}", path.display());
        let text = fs::read_to_string(path).with_context(context)?;
        Ok(Self::Token(hash(check(&text).with_context(context)?)))
    }

    fn allows(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let Self::Token(expected) = self else { return Ok(()) };
        let refused = |error| Err(Refusal::new(StatusCode::UNAUTHORIZED, error).because("unauthorized"));
        let Some(given) = headers.get(AUTHORIZATION) else {
            return refused("a token is needed: send the header `Authorization: Bearer TOKEN`");
        };
        let token = given.to_str().ok().and_then(|given| given.split_once(' '));
        let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
        match token {
            Some(token) if bool::from(hash(token).ct_eq(expected)) => Ok(()),
            _ => refused("the token is wrong: send the header `Authorization: Bearer TOKEN`"),
        }
    }
}

/// Lets requests through that bring the token, where there is one.
pub async fn token(State(access): State<Arc<Access>>, request: Request, next: Next) -> Result<Response, Refusal> {
    access.allows(request.headers())?;
    Ok(next.run(request).await)
}

/// Without a token, lets requests through that name this machine.
///
/// A page of another site can make its own name mean 127.0.0.1, or post a form here; its browser then tells that name as
/// the host, or as the origin.
pub async fn this_machine(
    State(access): State<Arc<Access>>,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    if matches!(*access, Access::Local) {
        check_names(request.uri(), request.headers())?;
    }
    Ok(next.run(request).await)
}

fn check_names(uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
    let mut hosts = headers.get_all(HOST).iter();
    let (host, more) = (hosts.next(), hosts.next());
    let named: Option<Authority> = host.and_then(|host| host.to_str().ok()?.parse().ok());
    let Some(named) = named.filter(|_| more.is_none()) else {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "expected one header `Host` with a name").because("host"));
    };
    if !names_this_machine(&named) || uri.authority().is_some_and(|authority| !names_this_machine(authority)) {
        let error = format!("{named} is not this machine: ask for localhost, or start the server with --token-file");
        return Err(Refusal::new(StatusCode::MISDIRECTED_REQUEST, error).because("host"));
    }
    if let Some(origin) = headers.get(ORIGIN) {
        let origin: Option<Uri> = origin.to_str().ok().and_then(|origin| origin.parse().ok());
        if !origin.is_some_and(|origin| origin.authority().is_some_and(names_this_machine)) {
            let error = "pages of other sites may not ask here";
            return Err(Refusal::new(StatusCode::FORBIDDEN, error).because("origin"));
        }
    }
    Ok(())
}

fn names_this_machine(authority: &Authority) -> bool {
    let host = authority.host();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse().map(is_loopback);
    host.eq_ignore_ascii_case("localhost") || address.unwrap_or(false)
}

/// Whether only this machine reaches the address.
pub fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

fn check(text: &str) -> Result<&str> {
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

/// Whether other users of this machine may read the file; not known but on Unix.
#[cfg(unix)]
pub fn others_may_read(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

/// Whether other users of this machine may read the file; not known but on Unix.
#[cfg(not(unix))]
pub fn others_may_read(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_taken() {
        let is_taken = |name: &str| names_this_machine(&name.parse().unwrap());
        for name in ["localhost", "LOCALHOST:80", "127.0.0.1:8080", "127.8.8.8", "[::1]:8080", "[::ffff:127.0.0.1]"] {
            assert!(is_taken(name), "{name}");
        }
        for name in ["example.org", "localhost.example.org", "10.0.0.1", "[::]:80", "127.0.0.1.example.org", "0.0.0.0"]
        {
            assert!(!is_taken(name), "{name}");
        }
    }

    #[test]
    fn tokens_are_one_long_line() {
        assert_eq!(check("\n 0123456789abcdef \r\n").unwrap(), "0123456789abcdef");
        for text in ["", "\n", "0123456789abcde", "0123456789abcdef\n0123456789abcdef", "0123456789 abcdef"] {
            assert!(check(text).is_err(), "{text:?}");
        }
    }
}
