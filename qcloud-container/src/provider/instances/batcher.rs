//! Many lookups of one machine each, sent as few of a hundred each.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{Either, select};
use qcloud_core::clock::Clock;
use qcloud_cvm::Client;
use qcloud_cvm::instance::{DescribeInstances, Instance};
use tokio::sync::{Mutex as Turn, Notify, oneshot};

use crate::kubernetes::{ErrorKind, ProviderError, Result};
use crate::provider::error::copy;

/// How many ids one call takes. The call says `Limit`, too: without it, only 20 are answered.
const MOST_IDS: usize = 100;

/// What the cloud said of one id: the machine, or that a complete answer left it out.
type Answer = Result<Option<Box<Instance>>>;

/// Collects ids for a short while and asks for them together. There is no task in the background: of those that wait, one
/// takes the turn of asking, and if it is dropped, another does.
#[derive(Debug)]
pub(super) struct Batcher {
    client: Client,
    clock: Arc<dyn Clock>,
    window: Duration,
    waiting: Mutex<Vec<(String, oneshot::Sender<Answer>)>>,
    turn: Turn<()>,
    full: Notify,
}

impl Batcher {
    pub(super) fn new(client: Client, clock: Arc<dyn Clock>, window: Duration) -> Self {
        Self { client, clock, window, waiting: Mutex::default(), turn: Turn::new(()), full: Notify::new() }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<(String, oneshot::Sender<Answer>)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks up one id.
    pub(super) async fn look_up(&self, id: &str) -> Answer {
        loop {
            let (sender, mut receiver) = oneshot::channel();
            {
                let mut waiting = self.waiting();
                waiting.push((id.to_owned(), sender));
                if waiting.len() >= MOST_IDS {
                    self.full.notify_one();
                }
            }
            loop {
                let turn = std::pin::pin!(self.turn.lock());
                match select(&mut receiver, turn).await {
                    Either::Left((Ok(answer), _)) => return answer,
                    // Whoever asked for it was dropped before there was an answer: ask again.
                    Either::Left((Err(_), _)) => break,
                    Either::Right((turn, _)) => {
                        let taken = self.collect().await;
                        drop(turn);
                        if taken.is_empty() {
                            // Someone is asking for it at this moment.
                            match (&mut receiver).await {
                                Ok(answer) => return answer,
                                Err(_) => break,
                            }
                        }
                        self.ask(taken).await;
                    }
                }
            }
        }
    }

    /// Waits until the window is over or the batch is full, and takes what there is.
    async fn collect(&self) -> Vec<(String, oneshot::Sender<Answer>)> {
        let count = {
            let mut waiting = self.waiting();
            waiting.retain(|(_, sender)| !sender.is_closed());
            waiting.len()
        };
        if count == 0 {
            return Vec::new();
        }
        if count < MOST_IDS {
            let full = std::pin::pin!(self.full.notified());
            select(self.clock.sleep(self.window), full).await;
        }
        let mut waiting = self.waiting();
        let count = waiting.len().min(MOST_IDS);
        waiting.drain(..count).collect()
    }

    async fn ask(&self, taken: Vec<(String, oneshot::Sender<Answer>)>) {
        let mut senders: HashMap<String, Vec<oneshot::Sender<Answer>>> = HashMap::new();
        for (id, sender) in taken {
            senders.entry(id).or_default().push(sender);
        }
        let mut batches: Vec<Vec<String>> = vec![senders.keys().cloned().collect()];
        let mut send = |id: &String, answer: &Answer| {
            for sender in senders.remove(id).into_iter().flatten() {
                let copy = match answer {
                    Ok(found) => Ok(found.clone()),
                    Err(error) => Err(copy(error)),
                };
                // Nobody waits any more: nothing lost.
                let _ = sender.send(copy);
            }
        };
        while let Some(mut ids) = batches.pop() {
            ids.sort_unstable();
            let request = DescribeInstances::new().instance_ids(&ids).limit(100);
            match self.client.describe_instances(request).await {
                Ok(answer) => {
                    let listed = answer.instance_set.len();
                    let complete = usize::try_from(answer.total_count).is_ok_and(|total| total <= listed);
                    for instance in answer.instance_set {
                        let id = instance.instance_id.clone();
                        send(&id, &Ok(Some(Box::new(instance))));
                    }
                    let absent = if complete {
                        Ok(None)
                    } else {
                        let message = format!("{listed} of {} instances were answered", answer.total_count);
                        Err(ProviderError::new(ErrorKind::Unavailable, message))
                    };
                    ids.iter().for_each(|id| send(id, &absent));
                }
                // One id that the API does not like spoils the answer for all.
                Err(error) if is_about_ids(&error) && ids.len() > 1 => {
                    let rest = ids.split_off(ids.len() / 2);
                    batches.extend([rest, ids]);
                }
                Err(error) => {
                    let answer =
                        if error.code() == Some("InvalidInstanceId.NotFound") { Ok(None) } else { Err(error.into()) };
                    ids.iter().for_each(|id| send(id, &answer));
                }
            }
        }
    }
}

fn is_about_ids(error: &qcloud_core::Error) -> bool {
    error.code().is_some_and(|code| {
        code.starts_with("InvalidInstanceId") || code == "InvalidParameterValue.InstanceIdMalformed"
    })
}
