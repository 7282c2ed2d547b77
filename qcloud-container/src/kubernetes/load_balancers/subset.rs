use std::collections::BTreeMap;

use super::endpoints::Node;
use super::service::ServiceKey;

/// At least this many targets of each zone, while there is room for them.
const PER_ZONE: usize = 2;

/// Which nodes serve a Service when not all can: at most `most` of them, some in every zone, and the same ones as
/// before wherever possible.
///
/// Every Service ranks all nodes by a hash of its own (rendezvous hashing). When a node comes or goes, only the
/// Services that it ranks high in are touched: about `most` of every `nodes.len()`.
#[must_use]
pub fn subset<'n>(service: &ServiceKey, nodes: &[&'n Node], most: usize) -> Vec<&'n Node> {
    if nodes.len() <= most {
        return nodes.to_vec();
    }
    let mut ranked: Vec<(u64, &'n Node)> = nodes.iter().map(|&node| (rank(&service.uid, &node.name), node)).collect();
    ranked.sort_by(|(one, left), (other, right)| other.cmp(one).then_with(|| left.name.cmp(&right.name)));

    // The place of each node within its zone: the first of every zone come first, then the second, then all others.
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut rounds: Vec<(usize, &'n Node)> = ranked
        .into_iter()
        .map(|(_, node)| {
            let place = seen.entry(node.zone.as_str()).or_default();
            *place += 1;
            ((*place).min(PER_ZONE + 1), node)
        })
        .collect();
    rounds.sort_by_key(|(round, _)| *round);
    rounds.into_iter().take(most).map(|(_, node)| node).collect()
}

/// FNV-1a with a final mix. It has to give the same on every machine and in every version, or targets would move.
pub(super) fn rank(service: &str, node: &str) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in service.bytes().chain([0]).chain(node.bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn nodes(count: usize) -> Vec<Node> {
        (0..count)
            .map(|n| Node::new(format!("node-{n}"), format!("ins-{n:08}")).with_zone(format!("z{}", n % 3)))
            .collect()
    }

    fn chosen(uid: &str, nodes: &[Node], most: usize) -> BTreeSet<String> {
        let refs: Vec<&Node> = nodes.iter().collect();
        subset(&ServiceKey::new("ns", "name", uid), &refs, most).into_iter().map(|node| node.name.clone()).collect()
    }

    #[test]
    fn a_lost_node_moves_few_services() {
        let all = nodes(1000);
        let mut fewer = all.clone();
        fewer.remove(17);
        let moved = (0..500).filter(|n| {
            let uid = format!("uid-{n}");
            let (before, after) = (chosen(&uid, &all, 50), chosen(&uid, &fewer, 50));
            assert_eq!(before.len(), 50);
            assert!(before.difference(&after).count() <= 1);
            before != after
        });
        // 50 of 1,000: about 25 of the 500 services.
        let moved = moved.count();
        assert!((5..60).contains(&moved), "{moved}");
    }

    #[test]
    fn every_zone_has_its_share() {
        let mut all = nodes(300);
        for node in all.iter_mut().skip(4) {
            node.zone = "big".to_owned();
        }
        let names = chosen("uid", &all, 10);
        let zones: BTreeSet<&str> =
            all.iter().filter(|node| names.contains(&node.name)).map(|node| node.zone.as_str()).collect();
        assert_eq!(zones.len(), 4);
        assert_eq!(chosen("uid", &all, 300).len(), 300);
    }
}
