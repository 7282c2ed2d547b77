//! Regions and their zones. Names are in English; states are `AVAILABLE` throughout.

/// A region.
#[derive(Debug)]
pub(crate) struct Region {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// The number that the ids of its zones begin with: `100003` is the third zone of region 1.
    number: u32,
    zones: &'static [u32],
}

/// A zone of a region.
#[derive(Clone, Debug)]
pub(crate) struct Zone {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) title: String,
}

const fn of(name: &'static str, title: &'static str, number: u32, zones: &'static [u32]) -> Region {
    Region { name, title, number, zones }
}

/// Every region the emulator has.
pub(crate) static REGIONS: &[Region] = &[
    of("ap-beijing", "Beijing", 8, &[3, 4, 5, 6, 7, 8]),
    of("ap-chengdu", "Chengdu", 16, &[1, 2]),
    of("ap-chongqing", "Chongqing", 19, &[1]),
    of("ap-guangzhou", "Guangzhou", 1, &[3, 4, 5, 6, 7]),
    of("ap-hongkong", "Hong Kong", 3, &[1, 2, 3]),
    of("ap-nanjing", "Nanjing", 33, &[1, 2, 3]),
    of("ap-shanghai", "Shanghai", 2, &[1, 2, 3, 4, 5, 8]),
    of("ap-bangkok", "Bangkok", 23, &[1, 2]),
    of("ap-jakarta", "Jakarta", 72, &[1, 2]),
    of("ap-mumbai", "Mumbai", 21, &[1, 2]),
    of("ap-seoul", "Seoul", 18, &[1, 2]),
    of("ap-singapore", "Singapore", 9, &[1, 2, 3, 4]),
    of("ap-tokyo", "Tokyo", 25, &[1, 2]),
    of("eu-frankfurt", "Frankfurt", 17, &[1, 2]),
    of("na-ashburn", "Virginia", 22, &[1, 2]),
    of("na-siliconvalley", "Silicon Valley", 15, &[1, 2]),
    of("sa-saopaulo", "Sao Paulo", 74, &[1]),
];

/// The region of this name.
pub(crate) fn region(name: &str) -> Option<&'static Region> {
    REGIONS.iter().find(|region| region.name == name)
}

/// All names, for messages.
pub(crate) fn region_names() -> String {
    let names: Vec<&str> = REGIONS.iter().map(|region| region.name).collect();
    names.join(", ")
}

impl Region {
    pub(crate) fn zones(&self) -> impl Iterator<Item = Zone> {
        let base = if self.number < 10 { self.number * 100_000 } else { self.number * 10_000 };
        self.zones.iter().map(move |number| Zone {
            name: format!("{}-{number}", self.name),
            id: format!("{}", base + number),
            title: format!("{} Zone {number}", self.title),
        })
    }

    pub(crate) fn zone(&self, name: &str) -> Option<Zone> {
        self.zones().find(|zone| zone.name == name)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn zones_carry_the_numbers_of_the_cloud() {
        let id =
            |region: &str, zone: &str| super::region(region).and_then(|region| region.zone(zone)).map(|zone| zone.id);
        assert_eq!(id("ap-guangzhou", "ap-guangzhou-3").as_deref(), Some("100003"));
        assert_eq!(id("ap-chengdu", "ap-chengdu-1").as_deref(), Some("160001"));
        assert_eq!(id("ap-guangzhou", "ap-shanghai-2"), None);
    }
}
