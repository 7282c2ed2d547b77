//! What the annotation [`RECORDED_FINGERPRINT`] says: which wish the cloud is known to have met.
//!
//! It is taken back before the cloud is changed and written after, so that it never claims what is not so: a process
//! that begins anew asks the cloud only about Services whose mark is not what it ought to be. What others change behind it
//! is found by the regular look at all balancers, which leaves the mark of what is well alone.

use k8s_openapi::api::core::v1::Service;
use qcloud_container::kubernetes::load_balancers::annotations::RECORDED_FINGERPRINT;

use super::claim::annotation;

/// Stands for what is being changed.
const CHANGING: &str = "changing";

/// The parts of the wish that are met, by their fingerprints.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// Everything but the targets.
    pub(super) wish: Option<String>,
    /// Where the traffic goes.
    pub(super) targets: Option<String>,
}

impl Mark {
    /// The one that a Service carries.
    pub(super) fn of(service: &Service) -> Self {
        annotation(service, RECORDED_FINGERPRINT).map(Self::read).unwrap_or_default()
    }

    /// The one of a fingerprint of a specification with its targets.
    pub(super) fn read(text: &str) -> Self {
        let known = |text: &str| (!text.is_empty() && text != CHANGING).then(|| text.to_owned());
        match text.split_once('.') {
            Some((wish, targets)) => Self { wish: known(wish), targets: known(targets) },
            None => Self::default(),
        }
    }

    /// The same wish, with targets that are being changed.
    pub(super) fn with_targets_changing(&self) -> Self {
        Self { wish: self.wish.clone(), targets: None }
    }

    pub(super) fn text(&self) -> String {
        match (&self.wish, &self.targets) {
            (None, _) => CHANGING.to_owned(),
            (Some(wish), targets) => format!("{wish}.{}", targets.as_deref().unwrap_or(CHANGING)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Mark {
        Mark::of(
            &serde_json::from_value(
                serde_json::json!({ "metadata": { "annotations": { RECORDED_FINGERPRINT: text } } }),
            )
            .unwrap(),
        )
    }

    #[test]
    fn what_is_written_is_read_again() {
        let whole = Mark::read("aa.bb");
        assert_eq!(read(&whole.text()), whole);
        let changing = whole.with_targets_changing();
        assert_eq!(changing.text(), "aa.changing");
        assert_eq!(read("aa.changing"), changing);
        assert_eq!(read(&Mark::default().text()), Mark::default());
        assert_eq!(Mark::of(&Service::default()), Mark::default());
        assert_eq!(read("what someone typed"), Mark::default());
    }
}
