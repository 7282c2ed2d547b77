//! From wire names to Rust names.

/// Brand names and acronyms whose capitals don't say where the words are.
const WORDS: &[(&str, &str)] = &[
    ("IPv4", "ipv4"),
    ("IPv6", "ipv6"),
    ("DDoS", "ddos"),
    ("DDos", "ddos"),
    ("DBDFs", "dbdfs"),
    ("JWKSURI", "jwks_uri"),
    ("K8S", "k8s"),
    ("MariaDB", "mariadb"),
    ("MongoDB", "mongodb"),
    ("MySQL", "mysql"),
    ("OAuth", "oauth"),
    ("TBaaS", "tbaas"),
    ("TiDB", "tidb"),
];

/// Words that can't be the name of a field or method. `new` is one, because the constructor has that name.
const KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn", "else",
    "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro", "match", "mod",
    "move", "mut", "new", "override", "priv", "pub", "ref", "return", "self", "static", "struct", "super", "trait",
    "true", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// Type names that the generated files import or that the prelude has.
const TAKEN: &[&str] = &[
    "Ack",
    "Action",
    "Box",
    "Call",
    "Client",
    "Clone",
    "Config",
    "Copy",
    "Debug",
    "Default",
    "Deserialize",
    "Drop",
    "Effect",
    "Eq",
    "Err",
    "Error",
    "Fn",
    "FnMut",
    "FnOnce",
    "From",
    "Into",
    "IntoIterator",
    "Iterator",
    "None",
    "Ok",
    "Operation",
    "Option",
    "Ord",
    "PageCursor",
    "Paginated",
    "PartialEq",
    "PartialOrd",
    "Raw",
    "Result",
    "Secret",
    "Self",
    "Send",
    "Serialize",
    "Service",
    "Some",
    "String",
    "Sync",
    "Timestamp",
    "ToOwned",
    "ToString",
    "TryFrom",
    "TryInto",
    "Vec",
];

/// Whether a generated type can't have this name.
pub(crate) fn is_taken(type_name: &str) -> bool {
    TAKEN.contains(&type_name)
}

/// Whether `name` can be the name of a type or variant: camel case, with `_` only between digits.
pub(crate) fn is_type_name(name: &str) -> bool {
    let between_digits = |index: usize| {
        let (before, after) = name.split_at(index);
        before.ends_with(|c: char| c.is_ascii_digit()) && after.chars().nth(1).is_some_and(|c| c.is_ascii_digit())
    };
    name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.char_indices().all(|(index, c)| c.is_ascii_alphanumeric() || c == '_' && between_digits(index))
}

/// Whether `name` can be the name of a module and a cargo feature.
pub(crate) fn is_module_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !KEYWORDS.contains(&name)
}

/// The words of a wire name, in lower case.
pub(crate) fn words(name: &str) -> Vec<String> {
    let mut words = Vec::new();
    for part in name.split(|c: char| !c.is_ascii_alphanumeric()) {
        let mut rest = part;
        let mut word = String::new();
        let mut previous = None;
        while let Some(c) = rest.chars().next() {
            if let Some((wire, known)) = WORDS.iter().find(|(wire, _)| starts_with_word(rest, wire)) {
                words.push(std::mem::take(&mut word));
                words.push((*known).to_owned());
                rest = rest.get(wire.len()..).unwrap_or_default();
                previous = None;
                continue;
            }
            let after = rest.get(c.len_utf8()..).unwrap_or_default();
            if previous.is_some_and(|previous| is_boundary(previous, c, after)) {
                words.push(std::mem::take(&mut word));
            }
            word.push(c.to_ascii_lowercase());
            previous = Some(c);
            rest = after;
        }
        words.push(word);
    }
    words.retain(|word| !word.is_empty());
    words
}

fn starts_with_word(text: &str, word: &str) -> bool {
    text.strip_prefix(word).is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_lowercase()))
}

/// Whether a word starts at `c`: `aB`, `1B`, and the `B` of `ABc`, but not in the plural of an acronym (`IDs`).
fn is_boundary(previous: char, c: char, after: &str) -> bool {
    if !c.is_ascii_uppercase() {
        return false;
    }
    if !previous.is_ascii_uppercase() {
        return true;
    }
    let plural = after.strip_prefix('s').is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_lowercase()));
    after.starts_with(|c: char| c.is_ascii_lowercase()) && !plural
}

/// `InstanceIds` → `instance_ids`, `CPU` → `cpu`, `Type` → `type_`.
pub(crate) fn snake(name: &str) -> String {
    let mut snake = words(name).join("_");
    if KEYWORDS.contains(&snake.as_str()) {
        snake.push('_');
    }
    snake
}

/// `InvalidInstanceId.NotFound` → `INVALID_INSTANCE_ID_NOT_FOUND`; with `keep_dots` a dot gives two underscores.
pub(crate) fn constant(code: &str, keep_dots: bool) -> String {
    let parts: Vec<String> = code.split('.').map(|part| words(part).join("_").to_ascii_uppercase()).collect();
    parts.join(if keep_dots { "__" } else { "_" })
}

/// The name of an enum's variant: `POSTPAID_BY_HOUR` → `PostpaidByHour`, `tcp` → `Tcp`, `NotFound` → `NotFound`.
pub(crate) fn variant(value: &str) -> String {
    let mut name = String::with_capacity(value.len());
    for part in value.split(|c: char| !c.is_ascii_alphanumeric()) {
        let is_digit = |c: char| c.is_ascii_digit();
        if name.ends_with(is_digit) && part.starts_with(is_digit) {
            name.push('_');
        }
        let mixed = part.contains(|c: char| c.is_ascii_lowercase());
        name.push_str(&capitalize(&if mixed { part.to_owned() } else { part.to_ascii_lowercase() }));
    }
    name
}

/// `cvm` → `Cvm`.
pub(crate) fn capitalize(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|c| c.to_ascii_uppercase()).into_iter().chain(chars).collect()
}

/// What serde's `rename_all = "PascalCase"` makes of a field's name.
pub(crate) fn serde_pascal(field: &str) -> String {
    field.split('_').map(capitalize).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snake_case() {
        for (wire, rust) in [
            ("InstanceIds", "instance_ids"),
            ("CPU", "cpu"),
            ("GPUCount", "gpu_count"),
            ("IPv6Addresses", "ipv6_addresses"),
            ("PublicIPv6Addresses", "public_ipv6_addresses"),
            ("AddressIPv6", "address_ipv6"),
            ("Ipv6ServiceCIDR", "ipv6_service_cidr"),
            ("EgressIPv4TotalCount", "egress_ipv4_total_count"),
            ("ClusterCIDRs", "cluster_cidrs"),
            ("ClusterCIDRSettings", "cluster_cidr_settings"),
            ("SkipAddingNonMasqueradeCIDRs", "skip_adding_non_masquerade_cidrs"),
            ("LanIP", "lan_ip"),
            ("VpcIDs", "vpc_ids"),
            ("SecurityGroupIDs", "security_group_ids"),
            ("OSName", "os_name"),
            ("SupportTargetOSList", "support_target_os_list"),
            ("Type", "type_"),
            ("Super", "super_"),
            ("AS", "as_"),
            ("For", "for_"),
            ("New", "new_"),
            ("H2cSwitch", "h2c_switch"),
            ("L4Clusters", "l4_clusters"),
            ("DstK8SVersion", "dst_k8s_version"),
            ("K8sVersion", "k8s_version"),
            ("HTTPQps", "http_qps"),
            ("HTTPSMaxNewConn", "https_max_new_conn"),
            ("OAuthEnable", "oauth_enable"),
            ("OAuth", "oauth"),
            ("IsDDos", "is_ddos"),
            ("AntiDDoSPackageId", "anti_ddos_package_id"),
            ("CynosDBMySQL", "cynos_db_mysql"),
            ("TiDB", "tidb"),
            ("TBaaS", "tbaas"),
            ("SQLServer", "sql_server"),
            ("TKERouteENINonStaticIP", "tke_route_eni_non_static_ip"),
            ("IP6RuleSet", "ip6_rule_set"),
            ("JWKSURI", "jwks_uri"),
            ("RSUsage", "rs_usage"),
            ("DataPlaneV2", "data_plane_v2"),
            ("TopN", "top_n"),
            ("DescribeVpcEndPoint", "describe_vpc_end_point"),
            ("QGPUShareEnable", "qgpu_share_enable"),
        ] {
            assert_eq!(snake(wire), rust, "{wire}");
        }
    }

    #[test]
    fn serde_names() {
        for (rust, wire) in
            [("instance_ids", "InstanceIds"), ("type_", "Type"), ("cpu", "Cpu"), ("ipv6_addresses", "Ipv6Addresses")]
        {
            assert_eq!(serde_pascal(rust), wire);
        }
    }

    #[test]
    fn variants() {
        for (value, name) in [
            ("PENDING", "Pending"),
            ("POSTPAID_BY_HOUR", "PostpaidByHour"),
            ("tcp", "Tcp"),
            ("TCP_SSL", "TcpSsl"),
            ("NotFound", "NotFound"),
            ("internet-facing", "InternetFacing"),
            ("creating", "Creating"),
            ("x86_64", "X86_64"),
            ("IPv6_Nat", "IPv6Nat"),
        ] {
            assert_eq!(variant(value), name);
        }
        assert!(!is_type_name(&variant("6.0")));
    }

    #[test]
    fn constants() {
        assert_eq!(constant("InvalidInstanceId.NotFound", false), "INVALID_INSTANCE_ID_NOT_FOUND");
        assert_eq!(constant("InvalidParameter.ValueTooLarge", true), "INVALID_PARAMETER__VALUE_TOO_LARGE");
    }

    #[test]
    fn modules() {
        assert!(is_module_name("key_pair") && is_module_name("cluster_v2022"));
        assert!(!is_module_name("KeyPair") && !is_module_name("type") && !is_module_name(""));
    }
}
