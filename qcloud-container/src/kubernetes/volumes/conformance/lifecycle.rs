//! Checks of making, finding, growing, changing and deleting.

use futures_util::future::join3;

use super::{Check, Outcome, Run, good, holds, refused, same};
use crate::kubernetes::volumes::{CapacityRequest, GIB, PageRequest, SizeRange, VolumeRequest, ZoneRequirement};
use crate::kubernetes::{ErrorKind, Exhausted};

pub(super) const CHECKS: &[(&str, Check)] = &[
    ("a volume is as requested", |run| Box::pin(as_requested(run))),
    ("a repeated request gives the same volume", |run| Box::pin(repeated(run))),
    ("a restarted process finds the volume", |run| Box::pin(restarted(run))),
    ("requests at the same time make one volume", |run| Box::pin(at_once(run))),
    ("the same name with another size is refused", |run| Box::pin(other_size(run))),
    ("a request without a name is refused", |run| Box::pin(nameless(run))),
    ("names of 128 bytes are told apart", |run| Box::pin(long_names(run))),
    ("sizes are rounded up", |run| Box::pin(rounded(run))),
    ("impossible sizes are refused", |run| Box::pin(impossible_sizes(run))),
    ("unknown parameters are refused", |run| Box::pin(unknown_parameter(run))),
    ("a preferred zone is taken", |run| Box::pin(preferred_zone(run))),
    ("a sold out zone is passed over", |run| Box::pin(sold_out(run))),
    ("a deleted name can be used again", |run| Box::pin(deleted_and_made_again(run))),
    ("an unknown id is not found", |run| Box::pin(unknown_id(run))),
    ("deletion can be repeated", |run| Box::pin(deletion(run))),
    ("a lost volume is made again", |run| Box::pin(lost(run))),
    ("a foreign volume is left alone", |run| Box::pin(foreign(run))),
    ("pages make up the list", |run| Box::pin(pages(run))),
];
pub(super) const OF_EXPANDING: &[(&str, Check)] = &[("volumes grow and never shrink", |run| Box::pin(growth(run)))];
pub(super) const OF_MODIFYING: &[(&str, Check)] = &[("properties change", |run| Box::pin(modified(run)))];
pub(super) const OF_CAPACITY: &[(&str, Check)] = &[("capacity is told", |run| Box::pin(capacity(run)))];

async fn as_requested(run: &Run<'_>) -> Outcome {
    let volume = run.volume("a").await?;
    same("size", &volume.size, &(20 * GIB))?;
    same("zone", &volume.zone, &run.cloud.zone)?;
    same("name", &volume.name.as_str(), &"a")?;
    holds("it is attached to nothing", volume.attachments.is_empty())?;
    let again = good("get", run.volumes().get(&volume.id).await)?;
    same("what get says", &again, &volume)
}

async fn repeated(run: &Run<'_>) -> Outcome {
    let first = run.volume("a").await?;
    let second = run.volume("a").await?;
    same("id", &second.id, &first.id)?;
    same("number of volumes", &run.listed().await?.len(), &1)
}

async fn restarted(run: &Run<'_>) -> Outcome {
    let first = run.volume("a").await?;
    let again = Run { harness: run.harness, cloud: run.harness.restarted(&run.cloud).await };
    same("id", &again.volume("a").await?.id, &first.id)?;
    same("number of volumes", &again.listed().await?.len(), &1)
}

async fn at_once(run: &Run<'_>) -> Outcome {
    let (first, second, third) = join3(run.volume("a"), run.volume("a"), run.volume("b")).await;
    let (first, second, third) = (first?, second?, third?);
    same("id", &second.id, &first.id)?;
    holds("another name is another volume", third.id != first.id)?;
    same("number of volumes", &run.listed().await?.len(), &2)
}

async fn other_size(run: &Run<'_>) -> Outcome {
    run.volume("a").await?;
    let mut larger = run.request("a");
    larger.size = SizeRange::at_least(50 * GIB);
    refused("another size", run.create(&larger).await, ErrorKind::AlreadyExists)?;
    let mut shared = run.request("a");
    shared.shareable = true;
    refused("another sharing", run.create(&shared).await, ErrorKind::AlreadyExists)?;
    let mut elsewhere = run.request("a");
    elsewhere.zones = ZoneRequirement::one_of([&run.cloud.other_zone]);
    refused("another zone", run.create(&elsewhere).await, ErrorKind::AlreadyExists)
}

async fn nameless(run: &Run<'_>) -> Outcome {
    refused("no name", run.create(&run.request("")).await, ErrorKind::InvalidArgument)
}

async fn long_names(run: &Run<'_>) -> Outcome {
    let long = "n".repeat(127);
    let first = run.volume(&format!("{long}a")).await?;
    let second = run.volume(&format!("{long}b")).await?;
    holds("two long names are two volumes", first.id != second.id)?;
    same("name", &second.name, &format!("{long}b"))?;
    same("id", &run.volume(&format!("{long}a")).await?.id, &first.id)
}

async fn rounded(run: &Run<'_>) -> Outcome {
    let mut request = run.request("a");
    request.size = SizeRange::at_least(20 * GIB + 1);
    let volume = good("create", run.create(&request).await)?;
    holds("the size is at least what is required", volume.size > 20 * GIB)?;
    let none = VolumeRequest::new("b", SizeRange::default()).zones(request.zones);
    holds("without a size there is some", good("create", run.create(&none).await)?.size > 0)
}

async fn impossible_sizes(run: &Run<'_>) -> Outcome {
    let mut request = run.request("a");
    request.size = SizeRange::between(20 * GIB + 1, 20 * GIB + 2);
    refused("a range without a size", run.create(&request).await, ErrorKind::OutOfRange)?;
    request.size = SizeRange::at_least(u64::MAX);
    refused("a huge size", run.create(&request).await, ErrorKind::OutOfRange)?;
    request.size = SizeRange::between(0, 1);
    refused("a tiny limit", run.create(&request).await, ErrorKind::OutOfRange)?;
    same("number of volumes", &run.listed().await?.len(), &0)
}

async fn unknown_parameter(run: &Run<'_>) -> Outcome {
    let request = run.request("a").parameter("no-such-parameter", "1");
    refused("an unknown parameter", run.create(&request).await, ErrorKind::InvalidArgument)
}

async fn preferred_zone(run: &Run<'_>) -> Outcome {
    let (zone, other) = (&run.cloud.zone, &run.cloud.other_zone);
    let request = run.request("a").zones(ZoneRequirement::new([zone, other], [other]));
    same("zone", &good("create", run.create(&request).await)?.zone, other)
}

async fn sold_out(run: &Run<'_>) -> Outcome {
    let (zone, other) = (&run.cloud.zone, &run.cloud.other_zone);
    if !run.harness.sell_out(&run.cloud, zone).await {
        return Ok(());
    }
    let request = run.request("a").zones(ZoneRequirement::new([zone, other], [zone]));
    same("zone", &good("create", run.create(&request).await)?.zone, other)?;
    let nowhere = run.create(&run.request("b")).await;
    refused("a zone without stock", nowhere, ErrorKind::Exhausted(Exhausted::Stock))?;
    if !run.volumes().capabilities().capacity {
        return Ok(());
    }
    let capacity = good("capacity", run.volumes().capacity(&CapacityRequest::in_zone(zone)).await)?;
    same("what the zone has", &capacity.available, &0)
}

async fn deleted_and_made_again(run: &Run<'_>) -> Outcome {
    let first = run.volume("a").await?;
    good("delete", run.finish(|| run.volumes().delete(&first.id)).await)?;
    let second = run.volume("a").await?;
    holds("it is a new one", second.id != first.id)
}

async fn unknown_id(run: &Run<'_>) -> Outcome {
    for id in ["no such id", "vol-99999999", "disk-99999999"] {
        refused("get", run.volumes().get(id).await, ErrorKind::NotFound)?;
        if run.volumes().capabilities().expand {
            refused("expand", run.volumes().expand(id, SizeRange::at_least(1)).await, ErrorKind::NotFound)?;
        }
        refused("settled", run.volumes().settled(id).await, ErrorKind::NotFound)?;
        good("delete", run.volumes().delete(id).await)?;
    }
    Ok(())
}

async fn deletion(run: &Run<'_>) -> Outcome {
    let volume = run.volume("a").await?;
    good("delete", run.finish(|| run.volumes().delete(&volume.id)).await)?;
    good("delete again", run.finish(|| run.volumes().delete(&volume.id)).await)?;
    refused("get", run.volumes().get(&volume.id).await, ErrorKind::NotFound)?;
    same("number of volumes", &run.listed().await?.len(), &0)
}

async fn lost(run: &Run<'_>) -> Outcome {
    let volume = run.volume("a").await?;
    if !run.harness.lose_volume(&run.cloud, &volume.id).await {
        return Ok(());
    }
    refused("get", run.volumes().get(&volume.id).await, ErrorKind::NotFound)?;
    good("detach", run.volumes().detach(&volume.id, None).await)?;
    good("delete", run.volumes().delete(&volume.id).await)?;
    holds("a new one is made", run.volume("a").await?.id != volume.id)
}

async fn foreign(run: &Run<'_>) -> Outcome {
    let Some(foreign) = run.harness.foreign_volume(&run.cloud, "a").await else { return Ok(()) };
    let before = good("get", run.volumes().get(&foreign).await)?;
    let mine = run.volume("a").await?;
    holds("the foreign volume is not adopted", mine.id != foreign)?;
    same("number of volumes in the list", &run.listed().await?.len(), &1)?;
    refused("deletion", run.volumes().delete(&foreign).await, ErrorKind::Conflict)?;
    good("delete", run.finish(|| run.volumes().delete(&mine.id)).await)?;
    same("the foreign volume", &good("get", run.volumes().get(&foreign).await)?, &before)
}

async fn pages(run: &Run<'_>) -> Outcome {
    let mut ids = Vec::new();
    for name in ["a", "b", "c", "d", "e"] {
        ids.push(run.volume(name).await?.id);
    }
    let mut seen = Vec::new();
    let mut request = PageRequest::first(2);
    loop {
        let page = good("list", run.volumes().list(&request).await)?;
        holds("a page has at most two entries", page.items.len() <= 2)?;
        seen.extend(page.items.into_iter().map(|volume| volume.id));
        match page.next {
            Some(token) => request = PageRequest::after(token, 2),
            None => break,
        }
        holds("the list has an end", seen.len() <= ids.len())?;
    }
    ids.sort();
    seen.sort();
    same("the list", &seen, &ids)?;
    let invalid = run.volumes().list(&PageRequest::after("nonsense", 2)).await;
    refused("a made-up token", invalid, ErrorKind::Conflict)
}

async fn growth(run: &Run<'_>) -> Outcome {
    let volume = run.volume("a").await?;
    let grown = good("expand", run.expand(&volume.id, SizeRange::at_least(35 * GIB)).await)?;
    holds("it is as large as required", grown.size >= 35 * GIB)?;
    let again = good("expand", run.expand(&volume.id, SizeRange::at_least(20 * GIB)).await)?;
    same("size", &again.size, &grown.size)?;
    let huge = run.expand(&volume.id, SizeRange::at_least(u64::MAX)).await;
    refused("a huge size", huge, ErrorKind::OutOfRange)?;
    let smaller = run.expand(&volume.id, SizeRange::between(10 * GIB, 20 * GIB)).await;
    refused("a limit below the size", smaller, ErrorKind::OutOfRange)
}

async fn modified(run: &Run<'_>) -> Outcome {
    let volume = run.volume("a").await?;
    let changed = &run.cloud.changed;
    let after = good("modify", run.finish(|| run.volumes().modify(&volume.id, changed)).await)?;
    holds("something has changed", after.kind != volume.kind || after.properties != volume.properties)?;
    let again = good("modify", run.finish(|| run.volumes().modify(&volume.id, changed)).await)?;
    same("the volume after the same change again", &again, &after)?;
    let unknown = [("no-such-parameter".to_owned(), "1".to_owned())].into();
    refused("an unknown parameter", run.volumes().modify(&volume.id, &unknown).await, ErrorKind::InvalidArgument)
}

async fn capacity(run: &Run<'_>) -> Outcome {
    let capacity = good("capacity", run.volumes().capacity(&CapacityRequest::in_zone(&run.cloud.zone)).await)?;
    holds("there is some", capacity.available > 0 && capacity.smallest > 0 && capacity.largest >= capacity.smallest)
}
