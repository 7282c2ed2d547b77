//! The regular look at balancers that nothing has happened to: someone may have changed them behind our back.

use std::time::Duration;

use tokio::time::sleep;

use super::Controller;

/// How long it takes to put all Services into the queue. The cloud's lists are believed for longer, so that all Services
/// can share them.
const TOGETHER: Duration = Duration::from_secs(30);

impl Controller {
    /// Lets all balancers be looked at now and then, for ever.
    pub(super) async fn verify(&self) {
        // Not all clusters of an account at the same moment.
        let mut pause = self.options.verify_every.mul_f64(fastrand::f64());
        loop {
            sleep(pause).await;
            pause = self.options.verify_every;
            let names = self.memories.holding();
            let share = TOGETHER.div_f64(names.len().max(1) as f64);
            for (place, name) in names.into_iter().enumerate() {
                self.memories.doubt(&name);
                self.queue.add_after(name, share.mul_f64(place as f64));
            }
        }
    }
}
