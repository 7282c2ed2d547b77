//! Sizes, zones and codes.

use proptest::prelude::*;
use qcloud_container::kubernetes::volumes::{
    CsiCode, GIB, SizeRange, SizeRules, Volume, VolumeState, ZoneRequirement, plan_expand,
};
use qcloud_container::kubernetes::{ErrorKind, Exhausted, ProviderError};

const RULES: SizeRules = SizeRules::new(10 * GIB, 32_000 * GIB, 10 * GIB);

#[test]
fn sizes_are_rounded_up_to_the_step() {
    let chosen = |required| RULES.choose(SizeRange::at_least(required)).unwrap();
    assert_eq!(chosen(0), 10 * GIB);
    assert_eq!(chosen(1), 10 * GIB);
    assert_eq!(chosen(10 * GIB), 10 * GIB);
    assert_eq!(chosen(10 * GIB + 1), 20 * GIB);
    assert_eq!(chosen(32_000 * GIB), 32_000 * GIB);
}

#[test]
fn sizes_beyond_the_range_are_refused() {
    for range in [
        SizeRange::at_least(32_000 * GIB + 1),
        SizeRange::between(0, 10 * GIB - 1),
        SizeRange::between(11 * GIB, 19 * GIB),
        SizeRange::at_least(u64::MAX),
    ] {
        assert_eq!(RULES.choose(range).unwrap_err().kind(), ErrorKind::OutOfRange, "{range:?}");
    }
}

#[test]
fn a_busy_volume_grows_later() {
    let mut volume = Volume::new("v", 20 * GIB);
    volume.state = VolumeState::Busy("EXPANDING".to_owned());
    let larger = SizeRange::at_least(30 * GIB);
    assert_eq!(plan_expand(&volume, larger, &RULES).unwrap_err().kind(), ErrorKind::Busy);
    assert_eq!(plan_expand(&volume, SizeRange::at_least(20 * GIB), &RULES).unwrap(), None);
}

#[test]
fn zones_are_tried_in_the_order_of_preference() {
    let known = ["a".to_owned(), "b".to_owned(), "c".to_owned()];
    let tried = |permitted: &[&str], preferred: &[&str]| {
        ZoneRequirement::new(permitted.iter().copied(), preferred.iter().copied()).candidates(&known).join(" ")
    };
    assert_eq!(tried(&[], &[]), "a b c");
    assert_eq!(tried(&[], &["b"]), "b a c");
    assert_eq!(tried(&["c", "b"], &["b"]), "b c");
    assert_eq!(tried(&["c"], &["b"]), "c");
    assert_eq!(tried(&["z", "z"], &["z"]), "z");
}

#[test]
fn every_kind_of_error_has_its_code() {
    let code = |kind| CsiCode::of(&ProviderError::new(kind, "")).number();
    assert_eq!(code(ErrorKind::InvalidArgument), 3);
    assert_eq!(code(ErrorKind::NotFound), 5);
    assert_eq!(code(ErrorKind::AlreadyExists), 6);
    assert_eq!(code(ErrorKind::Unauthorized), 7);
    assert_eq!(code(ErrorKind::Exhausted(Exhausted::Stock)), 8);
    assert_eq!(code(ErrorKind::InUse), 9);
    assert_eq!(code(ErrorKind::Conflict), 9);
    assert_eq!(code(ErrorKind::Pending), 10);
    assert_eq!(code(ErrorKind::Busy), 10);
    assert_eq!(code(ErrorKind::OutOfRange), 11);
    assert_eq!(code(ErrorKind::Unsupported), 12);
    assert_eq!(code(ErrorKind::Internal), 13);
    assert_eq!(code(ErrorKind::Throttled), 14);
    assert_eq!(code(ErrorKind::Ambiguous), 14);
    assert_eq!(CsiCode::of_list(&ProviderError::new(ErrorKind::Conflict, "")), CsiCode::Aborted);
}

proptest! {
    #[test]
    fn a_chosen_size_is_one_that_was_asked_for(required in 0..40_000 * GIB, more in proptest::option::of(0..100 * GIB)) {
        let range = match more {
            Some(more) => SizeRange::between(required, required + more),
            None => SizeRange::at_least(required),
        };
        if let Ok(size) = RULES.choose(range) {
            prop_assert!(range.contains(size));
            prop_assert!(size.is_multiple_of(RULES.step) && (RULES.least..=RULES.most).contains(&size));
            prop_assert!(size - required < RULES.step || size == RULES.least);
        }
    }

    #[test]
    fn growing_again_after_growing_does_nothing(size in 1..500_u64, required in 0..600_u64) {
        let range = SizeRange::at_least(required * GIB);
        let mut volume = Volume::new("v", size * GIB);
        if let Some(planned) = plan_expand(&volume, range, &RULES).unwrap() {
            prop_assert!(planned > volume.size);
            volume.size = planned;
        }
        prop_assert_eq!(plan_expand(&volume, range, &RULES).unwrap(), None);
    }
}
