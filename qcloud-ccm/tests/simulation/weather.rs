//! What goes wrong with calls, on both sides.

use std::time::Duration;

use apiserver_double::{ApiServer, Fault as ServerFault, Verb};

/// What happens to a call to the cloud.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// It is not carried out, and gets no answer.
    LostBefore,
    /// It is carried out, and the answer is lost.
    LostAfter,
    /// It is refused with this code.
    Refused(&'static str),
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weather {
    /// Nothing goes wrong.
    Clear,
    /// One call in twenty goes wrong.
    Bad,
    /// One call in three goes wrong.
    Storm,
    /// No call gets through.
    Outage,
}

impl Weather {
    pub(crate) fn any(random: &mut fastrand::Rng) -> Self {
        match random.u32(..10) {
            0..3 => Self::Clear,
            3..7 => Self::Bad,
            7..9 => Self::Storm,
            _ => Self::Outage,
        }
    }

    fn share(self) -> f64 {
        match self {
            Self::Clear => 0.0,
            Self::Bad => 0.05,
            Self::Storm => 0.33,
            Self::Outage => 1.0,
        }
    }

    /// What happens to a call of this action of the cloud.
    pub(crate) fn fault(self, action: &str, random: &mut fastrand::Rng) -> Option<Fault> {
        if self == Self::Outage {
            return Some(Fault::LostBefore);
        }
        if random.f64() >= self.share() {
            return None;
        }
        let writes = !action.starts_with("Describe");
        Some(match random.u32(..6) {
            0 => Fault::LostBefore,
            1 | 2 if writes => Fault::LostAfter,
            3 if writes => Fault::Refused("FailedOperation.ResourceInOperating"),
            4 => Fault::Refused("InternalError"),
            _ => Fault::Refused("RequestLimitExceeded"),
        })
    }

    /// Lets it come over the API server.
    pub(crate) fn over(self, server: &ApiServer) {
        let faults = server.faults();
        faults.clear();
        let all = |share: f64, fault| faults.on_all("*").probability(share).answer(fault);
        match self {
            Self::Clear => return,
            Self::Outage => return all(1.0, ServerFault::LostBefore),
            Self::Bad | Self::Storm => {}
        }
        let each = self.share() / 8.0;
        faults.on(Verb::Watch, "*").probability(each).answer(ServerFault::WatchExpired);
        faults.on(Verb::Watch, "*").probability(each).answer(ServerFault::WatchCut { after: 2 });
        faults.on(Verb::Watch, "*").probability(each).answer(ServerFault::Refuse(410, "Expired"));
        faults.on(Verb::Watch, "*").probability(each).answer(ServerFault::WatchEnd);
        faults.on(Verb::Patch, "*").probability(each).answer(ServerFault::Conflict);
        faults.on(Verb::Update, "*").probability(each).answer(ServerFault::Conflict);
        all(each, ServerFault::Refuse(500, "InternalError"));
        all(each, ServerFault::Refuse(503, "ServiceUnavailable"));
        all(each, ServerFault::TooMany { retry_after: 1 });
        all(each, ServerFault::LostBefore);
        all(each, ServerFault::LostAfter);
        all(each, ServerFault::Late(Duration::from_secs(2)));
        all(each / 4.0, ServerFault::Stall);
    }
}
