//! Health checks of listeners and rules: their settings, defaults and bounds.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::errors;
use crate::error::ApiError;

/// How targets are probed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HealthCheck {
    pub(super) on: bool,
    timeout: i64,
    interval: i64,
    healthy: i64,
    unhealthy: i64,
    kind: String,
    /// A port other than the target's own.
    port: Option<i64>,
    http_code: Option<i64>,
    path: Option<String>,
    domain: Option<String>,
    method: Option<String>,
    version: Option<String>,
    context_type: Option<String>,
    send: Option<String>,
    receive: Option<String>,
    source: i64,
    extended_code: Option<String>,
}

/// A health check as requests carry it: what is not given stays as it was.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Given {
    health_switch: Option<i64>,
    time_out: Option<i64>,
    interval_time: Option<i64>,
    health_num: Option<i64>,
    un_health_num: Option<i64>,
    http_code: Option<i64>,
    http_check_path: Option<String>,
    http_check_domain: Option<String>,
    http_check_method: Option<String>,
    check_port: Option<i64>,
    context_type: Option<String>,
    send_context: Option<String>,
    recv_context: Option<String>,
    check_type: Option<String>,
    http_version: Option<String>,
    source_ip_type: Option<i64>,
    extended_code: Option<String>,
}

/// The health check of a target group as requests carry it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GivenForGroup {
    health_switch: bool,
    protocol: Option<String>,
    port: Option<i64>,
    timeout: Option<i64>,
    gap_time: Option<i64>,
    good_limit: Option<i64>,
    bad_limit: Option<i64>,
    http_code: Option<i64>,
    http_check_domain: Option<String>,
    http_check_path: Option<String>,
    http_check_method: Option<String>,
    context_type: Option<String>,
    send_context: Option<String>,
    recv_context: Option<String>,
    http_version: Option<String>,
    extended_code: Option<String>,
}

impl From<GivenForGroup> for Given {
    fn from(given: GivenForGroup) -> Self {
        Self {
            health_switch: Some(i64::from(given.health_switch)),
            time_out: given.timeout,
            interval_time: given.gap_time,
            health_num: given.good_limit,
            un_health_num: given.bad_limit,
            http_code: given.http_code,
            http_check_path: given.http_check_path,
            http_check_domain: given.http_check_domain,
            http_check_method: given.http_check_method,
            check_port: given.port.filter(|port| *port != 0),
            context_type: given.context_type,
            send_context: given.send_context,
            recv_context: given.recv_context,
            check_type: given.protocol,
            http_version: given.http_version,
            source_ip_type: None,
            extended_code: given.extended_code,
        }
    }
}

/// The kinds of probe for a protocol; the first is the default.
fn kinds(protocol: &str) -> &'static [&'static str] {
    match protocol {
        "UDP" => &["PING", "CUSTOM"],
        "TCP" => &["TCP", "HTTP", "CUSTOM"],
        "HTTP" => &["HTTP", "TCP"],
        "HTTPS" => &["HTTPS", "HTTP", "TCP"],
        "GRPC" | "GRPCS" => &["GRPC", "TCP"],
        _ => &["TCP", "HTTP"],
    }
}

impl HealthCheck {
    /// What a listener or rule of this protocol has when nothing is said.
    pub(super) fn usual(protocol: &str) -> Self {
        let kind = kinds(protocol).first().copied().unwrap_or("TCP");
        Self {
            on: true,
            timeout: 2,
            interval: 5,
            healthy: 3,
            unhealthy: 3,
            kind: kind.to_owned(),
            port: None,
            http_code: None,
            path: None,
            domain: None,
            method: None,
            version: None,
            context_type: None,
            send: None,
            receive: None,
            source: 0,
            extended_code: None,
        }
    }

    /// With the given settings in the place of the old ones, checked.
    pub(super) fn with(&self, given: &Given, protocol: &str) -> Result<Self, ApiError> {
        let text = |new: &Option<String>, old: &Option<String>| new.clone().or_else(|| old.clone());
        let check = Self {
            on: given.health_switch.map_or(self.on, |on| on == 1),
            timeout: given.time_out.unwrap_or(self.timeout),
            interval: given.interval_time.unwrap_or(self.interval),
            healthy: given.health_num.unwrap_or(self.healthy),
            unhealthy: given.un_health_num.unwrap_or(self.unhealthy),
            kind: given.check_type.clone().unwrap_or_else(|| self.kind.clone()),
            port: given.check_port.or(self.port).filter(|port| *port != -1),
            http_code: given.http_code.or(self.http_code),
            path: text(&given.http_check_path, &self.path),
            domain: text(&given.http_check_domain, &self.domain),
            method: text(&given.http_check_method, &self.method),
            version: text(&given.http_version, &self.version),
            context_type: text(&given.context_type, &self.context_type),
            send: text(&given.send_context, &self.send),
            receive: text(&given.recv_context, &self.receive),
            source: given.source_ip_type.unwrap_or(self.source),
            extended_code: text(&given.extended_code, &self.extended_code),
        };
        if let Some(on) = given.health_switch {
            errors::check_range("HealthCheck.HealthSwitch", on, 0, 1)?;
        }
        check.check(protocol)?;
        Ok(check.completed())
    }

    fn check(&self, protocol: &str) -> Result<(), ApiError> {
        errors::check_range("HealthCheck.TimeOut", self.timeout, 2, 60)?;
        errors::check_range("HealthCheck.IntervalTime", self.interval, 2, 300)?;
        if self.timeout >= self.interval && self.on {
            let message = format!(
                "`HealthCheck.TimeOut`, {} s, must be less than `HealthCheck.IntervalTime`, {} s.",
                self.timeout, self.interval
            );
            return Err(errors::value(message));
        }
        errors::check_range("HealthCheck.HealthNum", self.healthy, 2, 10)?;
        errors::check_range("HealthCheck.UnHealthNum", self.unhealthy, 2, 10)?;
        errors::check_among("HealthCheck.CheckType", &self.kind, kinds(protocol))?;
        errors::check_range("HealthCheck.SourceIpType", self.source, 0, 1)?;
        if let Some(port) = self.port {
            errors::port("HealthCheck.CheckPort", port)?;
        }
        if let Some(code) = self.http_code {
            errors::check_range("HealthCheck.HttpCode", code, 1, 31)?;
        }
        if let Some(method) = &self.method {
            errors::check_among("HealthCheck.HttpCheckMethod", method, &["HEAD", "GET"])?;
        }
        if let Some(version) = &self.version {
            errors::check_among("HealthCheck.HttpVersion", version, &["HTTP/1.0", "HTTP/1.1"])?;
        }
        if let Some(kind) = &self.context_type {
            errors::check_among("HealthCheck.ContextType", kind, &["HEX", "TEXT"])?;
        }
        let needed: &[(&str, bool)] = match (protocol, self.kind.as_str()) {
            ("TCP", "HTTP") => &[("HttpCheckDomain", self.domain.is_some()), ("HttpVersion", self.version.is_some())],
            (_, "CUSTOM") => &[
                ("ContextType", self.context_type.is_some()),
                ("SendContext", self.send.is_some()),
                ("RecvContext", self.receive.is_some()),
            ],
            _ => &[],
        };
        match needed.iter().find(|(_, given)| !given) {
            Some((name, _)) => Err(ApiError::missing(&format!("HealthCheck.{name}"))),
            None => Ok(()),
        }
    }

    /// Checks what load balancers with IPv6 do not take.
    pub(super) fn check_ipv6(&self, protocol: &str) -> Result<(), ApiError> {
        if !self.on {
            return Ok(());
        }
        errors::check_range("HealthCheck.IntervalTime", self.interval, 5, 300)?;
        errors::check_range("HealthCheck.SourceIpType", self.source, 0, 0)?;
        match protocol {
            "TCP" => errors::check_among("HealthCheck.CheckType", &self.kind, &["TCP"]),
            "UDP" => errors::check_among("HealthCheck.CheckType", &self.kind, &["PING"]),
            _ => Ok(()),
        }
    }

    /// With the settings of HTTP probes that were left to their defaults.
    fn completed(mut self) -> Self {
        if matches!(self.kind.as_str(), "HTTP" | "HTTPS") {
            self.http_code = self.http_code.or(Some(31));
            self.path = self.path.or_else(|| Some("/".to_owned()));
            self.method = self.method.or_else(|| Some("HEAD".to_owned()));
        }
        if self.kind == "GRPC" {
            self.extended_code = self.extended_code.or_else(|| Some("12".to_owned()));
        }
        self
    }

    /// As target groups show it, with names of their own.
    pub(super) fn show_for_group(&self) -> Value {
        json!({
            "HealthSwitch": self.on,
            "Protocol": self.kind,
            "Port": self.port.unwrap_or_default(),
            "Timeout": self.timeout,
            "GapTime": self.interval,
            "GoodLimit": self.healthy,
            "BadLimit": self.unhealthy,
            "JumboFrame": true,
            "HttpCode": self.http_code,
            "HttpCheckDomain": self.domain,
            "HttpCheckPath": self.path,
            "HttpCheckMethod": self.method,
            "ContextType": self.context_type,
            "SendContext": self.send,
            "RecvContext": self.receive,
            "HttpVersion": self.version,
            "ExtendedCode": self.extended_code,
        })
    }

    pub(super) fn show(&self) -> Value {
        json!({
            "HealthSwitch": u8::from(self.on),
            "TimeOut": self.timeout,
            "IntervalTime": self.interval,
            "HealthNum": self.healthy,
            "UnHealthNum": self.unhealthy,
            "HttpCode": self.http_code,
            "HttpCheckPath": self.path,
            "HttpCheckDomain": self.domain,
            "HttpCheckMethod": self.method,
            "CheckPort": self.port,
            "ContextType": self.context_type,
            "SendContext": self.send,
            "RecvContext": self.receive,
            "CheckType": self.kind,
            "HttpVersion": self.version,
            "SourceIpType": self.source,
            "ExtendedCode": self.extended_code,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(value: Value) -> Given {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn ipv6_takes_less() {
        let usual = HealthCheck::usual("TCP");
        usual.check_ipv6("TCP").unwrap();
        for bad in [
            json!({"IntervalTime": 4}),
            json!({"SourceIpType": 1}),
            json!({"CheckType": "HTTP", "HttpCheckDomain": "a.example", "HttpVersion": "HTTP/1.1"}),
        ] {
            let check = usual.with(&given(bad.clone()), "TCP").unwrap();
            assert_eq!(check.check_ipv6("TCP").unwrap_err().code, "InvalidParameterValue", "{bad}");
        }
    }

    #[test]
    fn settings_keep_within_bounds_and_old_ones_stay() {
        let usual = HealthCheck::usual("TCP");
        let changed = usual.with(&given(json!({"TimeOut": 10, "IntervalTime": 20})), "TCP").unwrap();
        assert_eq!(changed.with(&given(json!({"HealthNum": 5})), "TCP").unwrap().show()["TimeOut"], 10);
        for bad in [
            json!({"TimeOut": 1}),
            json!({"TimeOut": 5}),
            json!({"IntervalTime": 301}),
            json!({"HealthNum": 11}),
            json!({"CheckType": "PING"}),
            json!({"CheckPort": 70_000}),
            json!({"CheckType": "HTTP", "HttpCheckDomain": "a.example", "HttpVersion": "HTTP/3"}),
        ] {
            let error = usual.with(&given(bad.clone()), "TCP").unwrap_err();
            assert_eq!(error.code, "InvalidParameterValue", "{bad}");
        }
        let error = usual.with(&given(json!({"CheckType": "HTTP"})), "TCP").unwrap_err();
        assert_eq!(error.code, "MissingParameter");
        let back = changed.with(&given(json!({"CheckPort": 80})), "TCP").unwrap();
        assert_eq!(back.with(&given(json!({"CheckPort": -1})), "TCP").unwrap(), changed);
    }
}
