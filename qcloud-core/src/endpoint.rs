//! Endpoints: the addresses at which the API is reached.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::Uri;

use crate::{Error, ErrorKind, Region, Result, Service};

const PUBLIC: &str = "tencentcloudapi.com";
const INTERNAL: &str = "internal.tencentcloudapi.com";
const INTERNATIONAL: &str = "intl.tencentcloudapi.com";

/// Where requests go: a family of hosts named after service and region, or one URL for everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Domain { domain: Cow<'static, str>, regional: bool },
    Url { scheme: http::uri::Scheme, authority: http::uri::Authority, insecure_allowed: bool },
}

impl Endpoint {
    /// The public hosts, `cvm.tencentcloudapi.com`. They route to the nearest entry. The default.
    #[must_use]
    pub const fn public() -> Self {
        Self(Kind::Domain { domain: Cow::Borrowed(PUBLIC), regional: false })
    }

    /// The public host of the call's own region, `cvm.ap-guangzhou.tencentcloudapi.com`.
    #[must_use]
    pub const fn regional() -> Self {
        Self(Kind::Domain { domain: Cow::Borrowed(PUBLIC), regional: true })
    }

    /// The hosts inside QCloud's own networks, `cvm.internal.tencentcloudapi.com`: no internet access needed.
    #[must_use]
    pub const fn internal() -> Self {
        Self(Kind::Domain { domain: Cow::Borrowed(INTERNAL), regional: false })
    }

    /// The hosts for accounts of the international site, `cvm.intl.tencentcloudapi.com`.
    #[must_use]
    pub const fn international() -> Self {
        Self(Kind::Domain { domain: Cow::Borrowed(INTERNATIONAL), regional: false })
    }

    /// Hosts under another domain, `cvm.<domain>`, for dedicated clouds.
    ///
    /// # Errors
    /// When `domain` is not a host name.
    pub fn domain(domain: impl Into<String>) -> Result<Self> {
        let domain = domain.into();
        let well_formed = !domain.is_empty()
            && domain.split('.').all(|label| {
                !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            });
        if !well_formed {
            return Err(Error::new(
                ErrorKind::Config,
                format!(
                    "`{domain}` is not a domain; give one like `tencentcloudapi.com`, or use Endpoint::url for a URL"
                ),
            ));
        }
        Ok(Self(Kind::Domain { domain: domain.into(), regional: false }))
    }

    /// One URL for every service, such as an emulator's `http://127.0.0.1:8080`. Only `https` is accepted, and `http`
    /// to loopback.
    ///
    /// # Errors
    /// When it is not a URL, has a path or query, or is plain `http` to another machine.
    pub fn url(url: impl AsRef<str>) -> Result<Self> {
        Self::parse(url.as_ref(), false)
    }

    /// Like [`url`](Self::url), but plain `http` may go to any machine. Signatures do not hide what is sent: use it
    /// only on a network that you trust.
    ///
    /// # Errors
    /// When it is not a URL, or has a path or query.
    pub fn insecure_url(url: impl AsRef<str>) -> Result<Self> {
        Self::parse(url.as_ref(), true)
    }

    fn parse(url: &str, insecure_allowed: bool) -> Result<Self> {
        let wrong = |why: &str| {
            Error::new(
                ErrorKind::Config,
                format!("the endpoint `{url}` {why}; give one like `https://api.example.com`"),
            )
        };
        // Before any message that quotes the URL.
        if url.contains('@') {
            return Err(Error::new(ErrorKind::Config, "the endpoint's URL must not hold a user name or password"));
        }
        let uri: Uri = url.trim().parse().map_err(|error| wrong("is not a URL").with_source(error))?;
        let parts = uri.into_parts();
        let scheme = parts.scheme.ok_or_else(|| wrong("lacks `https://`"))?;
        let authority = parts.authority.ok_or_else(|| wrong("lacks a host"))?;
        if authority.host().is_empty() {
            return Err(wrong("lacks a host"));
        }
        if parts.path_and_query.is_some_and(|path| path.as_str() != "/") {
            return Err(wrong("has a path or query, which the API does not have"));
        }
        if scheme == http::uri::Scheme::HTTP {
            if !insecure_allowed && !is_loopback(authority.host()) {
                return Err(Error::new(
                    ErrorKind::Config,
                    format!(
                        "the endpoint `{url}` is plain http to another machine, which would show requests to everyone on \
                         the way; use https, or Endpoint::insecure_url if you trust that network"
                    ),
                ));
            }
        } else if scheme != http::uri::Scheme::HTTPS {
            return Err(wrong("is neither https nor http"));
        }
        Ok(Self(Kind::Url { scheme, authority, insecure_allowed }))
    }

    /// The URL of a service in a region.
    pub(crate) fn resolve(&self, service: &str, region: Option<&Region>) -> Result<Uri> {
        let uri = match &self.0 {
            Kind::Domain { domain, regional } => {
                let host = match region.filter(|_| *regional) {
                    Some(region) => format!("{service}.{region}.{domain}"),
                    None => format!("{service}.{domain}"),
                };
                Uri::builder().scheme(http::uri::Scheme::HTTPS).authority(host).path_and_query("/").build()
            }
            Kind::Url { scheme, authority, .. } => {
                Uri::builder().scheme(scheme.clone()).authority(authority.clone()).path_and_query("/").build()
            }
        };
        uri.map_err(|error| {
            Error::new(ErrorKind::Config, format!("no URL can be made for the service `{service}` at {self}"))
                .with_source(error)
        })
    }

    /// Where the credential providers find STS when calls go here: in the same family of hosts. A single URL stands for
    /// the services that are called, not for STS.
    pub(crate) fn for_sts(&self) -> Self {
        match &self.0 {
            Kind::Domain { domain, .. } => Self(Kind::Domain { domain: domain.clone(), regional: false }),
            Kind::Url { .. } => Self::public(),
        }
    }

    /// The URL at which a service is reached from a region, for looking at.
    ///
    /// # Errors
    /// When the service's name can't be part of a host name.
    pub fn url_of(&self, service: Service, region: &Region) -> Result<String> {
        self.resolve(service.name, Some(region)).map(|uri| uri.to_string())
    }
}

/// Whether a host, as URLs write it, is this very machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Reads an endpoint as it stands in an environment or a file of settings: one of the words `public`, `regional`,
/// `internal` and `international`, a domain, or a URL.
///
/// ```
/// # use qcloud_core::{Endpoint, Result};
/// # fn example() -> Result<()> {
/// let endpoint: Endpoint = "internal".parse()?;
/// assert_eq!(endpoint, Endpoint::internal());
/// # Ok(()) }
/// # example().unwrap();
/// ```
impl FromStr for Endpoint {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.trim() {
            "public" => Ok(Self::public()),
            "regional" => Ok(Self::regional()),
            "internal" => Ok(Self::internal()),
            "international" => Ok(Self::international()),
            url if url.contains([':', '/', '@']) => Self::url(url),
            domain if domain.contains('.') => Self::domain(domain),
            other => Err(Error::new(
                ErrorKind::Config,
                format!(
                    "`{other}` is no endpoint; give `public`, `regional`, `internal`, `international`, a domain or a URL"
                ),
            )),
        }
    }
}

impl Default for Endpoint {
    fn default() -> Self {
        Self::public()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Domain { domain, regional: false } => write!(f, "https://<service>.{domain}"),
            Kind::Domain { domain, regional: true } => write!(f, "https://<service>.<region>.{domain}"),
            Kind::Url { scheme, authority, .. } => write!(f, "{scheme}://{authority}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CVM: Service = Service::new("cvm", "2017-03-12");

    #[test]
    fn each_family_has_its_hosts() {
        let url = |endpoint: Endpoint| endpoint.url_of(CVM, &Region::SHANGHAI).unwrap();
        assert_eq!(url(Endpoint::public()), "https://cvm.tencentcloudapi.com/");
        assert_eq!(url(Endpoint::regional()), "https://cvm.ap-shanghai.tencentcloudapi.com/");
        assert_eq!(url(Endpoint::internal()), "https://cvm.internal.tencentcloudapi.com/");
        assert_eq!(url(Endpoint::international()), "https://cvm.intl.tencentcloudapi.com/");
        assert_eq!(url(Endpoint::domain("cloud.example.com").unwrap()), "https://cvm.cloud.example.com/");
        assert_eq!(url(Endpoint::url("https://api.example.com:8443").unwrap()), "https://api.example.com:8443/");
    }

    #[test]
    fn plain_http_goes_to_loopback_only() {
        for url in ["http://127.0.0.1:8080", "http://localhost", "http://[::1]:80/"] {
            assert!(Endpoint::url(url).is_ok(), "{url}");
        }
        let error = Endpoint::url("http://10.0.0.1:8080").unwrap_err();
        assert!(error.to_string().contains("plain http"), "{error}");
        assert!(Endpoint::url("http://127.0.0.1.example.com").is_err());
        assert!(Endpoint::insecure_url("http://10.0.0.1:8080").is_ok());
    }

    #[test]
    fn an_endpoint_is_read_from_a_word_a_domain_or_a_url() {
        let read = |text: &str| text.parse::<Endpoint>().unwrap();
        assert_eq!(read("public"), Endpoint::public());
        assert_eq!(read("regional"), Endpoint::regional());
        assert_eq!(read(" internal\n"), Endpoint::internal());
        assert_eq!(read("international"), Endpoint::international());
        assert_eq!(read("cloud.example.com"), Endpoint::domain("cloud.example.com").unwrap());
        assert_eq!(read("http://127.0.0.1:8080"), Endpoint::url("http://127.0.0.1:8080").unwrap());
        for text in ["", "interal", "me:secret@api.example.com", "api.example.com/", "api.example.com:443", "a..b"] {
            let error = text.parse::<Endpoint>().unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn what_is_no_endpoint_is_refused_with_a_reason() {
        for (url, reason) in [
            ("cvm.tencentcloudapi.com", "lacks"),
            ("ftp://example.com", "neither"),
            ("https://example.com/v1", "path"),
            ("https://me:secret@example.com", "user name"),
            ("me:secret@example.com", "user name"),
            ("https://me:secret@exam ple.com", "user name"),
            ("https://:8443", "host"),
            ("", "not a URL"),
        ] {
            let error = Endpoint::url(url).unwrap_err();
            assert!(error.to_string().contains(reason), "{url}: {error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        assert!(Endpoint::domain("https://x").is_err());
    }
}
