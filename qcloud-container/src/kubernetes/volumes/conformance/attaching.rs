//! Checks of attaching and detaching.

use super::{Check, Outcome, Run, good, holds, refused, same};
use crate::kubernetes::volumes::Access;
use crate::kubernetes::{ErrorKind, Exhausted};

pub(super) const CHECKS: &[(&str, Check)] = &[
    ("a volume is attached and detached", |run| Box::pin(there_and_back(run))),
    ("attaching and detaching can be repeated", |run| Box::pin(repeated(run))),
    ("a second node is refused", |run| Box::pin(second_node(run))),
    ("another access on the same node is refused", |run| Box::pin(other_access(run))),
    ("detaching from another node changes nothing", |run| Box::pin(wrong_node(run))),
    ("detaching from everywhere", |run| Box::pin(everywhere(run))),
    ("an attached volume is not deleted", |run| Box::pin(in_use(run))),
    ("unknown volumes and nodes are not found", |run| Box::pin(unknown(run))),
    ("a node of another zone is refused", |run| Box::pin(other_zone(run))),
    ("a node takes no more than its limit", |run| Box::pin(limit(run))),
    ("many read", |run| Box::pin(many_read(run))),
    ("one writes and many read", |run| Box::pin(one_writes(run))),
    ("a restarted process goes on", |run| Box::pin(restarted(run))),
    ("a lost node has lost its volumes", |run| Box::pin(lost_node(run))),
];

async fn there_and_back(run: &Run<'_>) -> Outcome {
    let volume = run.volume("a").await?;
    let node = &run.cloud.nodes[0];
    let attachment = good("attach", run.attach(&volume.id, node, Access::SINGLE_WRITER).await)?;
    same("node", &attachment.node, node)?;
    let seen = good("get", run.volumes().get(&volume.id).await)?;
    same("attachments", &seen.attachments, &vec![attachment])?;
    good("detach", run.detach(&volume.id, Some(node)).await)?;
    let seen = good("get", run.volumes().get(&volume.id).await)?;
    holds("it is attached to nothing", seen.attachments.is_empty() && seen.is_settled())
}

async fn repeated(run: &Run<'_>) -> Outcome {
    let volume = run.volume("a").await?;
    let node = &run.cloud.nodes[0];
    let first = good("attach", run.attach(&volume.id, node, Access::SINGLE_WRITER).await)?;
    let second = good("attach", run.attach(&volume.id, node, Access::SINGLE_WRITER).await)?;
    same("attachment", &second, &first)?;
    good("detach", run.detach(&volume.id, Some(node)).await)?;
    good("detach", run.detach(&volume.id, Some(node)).await)
}

async fn second_node(run: &Run<'_>) -> Outcome {
    let volume = run.volume("a").await?;
    let [first, second] = &run.cloud.nodes;
    good("attach", run.attach(&volume.id, first, Access::SINGLE_WRITER).await)?;
    match run.attach(&volume.id, second, Access::SINGLE_WRITER).await {
        Err(error) if error.kind() == ErrorKind::InUse => {
            holds("the message names the node that has it", error.message().contains(first.as_str()))?;
        }
        other => return Err(format!("the second node should be refused: {other:?}")),
    }
    good("detach", run.detach(&volume.id, Some(first)).await)?;
    good("attach", run.attach(&volume.id, second, Access::SINGLE_WRITER).await).map(drop)
}

async fn other_access(run: &Run<'_>) -> Outcome {
    let volume = run.volume("a").await?;
    let node = &run.cloud.nodes[0];
    good("attach", run.attach(&volume.id, node, Access::SINGLE_WRITER).await)?;
    let reader = run.attach(&volume.id, node, Access::SINGLE_READER).await;
    refused("reading only", reader, ErrorKind::AlreadyExists)?;
    good("detach", run.detach(&volume.id, Some(node)).await)?;
    let attachment = good("attach", run.attach(&volume.id, node, Access::SINGLE_READER).await)?;
    holds("it is for reading only", attachment.read_only)?;
    let writer = run.attach(&volume.id, node, Access::SINGLE_WRITER).await;
    refused("writing", writer, ErrorKind::AlreadyExists)
}

async fn wrong_node(run: &Run<'_>) -> Outcome {
    let volume = run.volume("a").await?;
    let [first, second] = &run.cloud.nodes;
    good("attach", run.attach(&volume.id, first, Access::SINGLE_WRITER).await)?;
    good("detach", run.detach(&volume.id, Some(second)).await)?;
    holds("the first still has it", good("get", run.volumes().get(&volume.id).await)?.on(first).is_some())
}

async fn everywhere(run: &Run<'_>) -> Outcome {
    let volume = good("create", run.create(&run.request("a").shareable()).await)?;
    for node in &run.cloud.nodes {
        good("attach", run.attach(&volume.id, node, Access::READER).await)?;
    }
    good("detach", run.detach(&volume.id, None).await)?;
    holds("it is attached to nothing", good("get", run.volumes().get(&volume.id).await)?.attachments.is_empty())
}

async fn in_use(run: &Run<'_>) -> Outcome {
    let volume = run.volume("a").await?;
    let node = &run.cloud.nodes[0];
    good("attach", run.attach(&volume.id, node, Access::SINGLE_WRITER).await)?;
    refused("deletion", run.volumes().delete(&volume.id).await, ErrorKind::InUse)?;
    good("detach", run.detach(&volume.id, Some(node)).await)?;
    good("delete", run.finish(|| run.volumes().delete(&volume.id)).await)
}

async fn unknown(run: &Run<'_>) -> Outcome {
    let node = &run.cloud.nodes[0];
    for id in ["no such id", "vol-99999999", "disk-99999999"] {
        refused("attach", run.attach(id, node, Access::SINGLE_WRITER).await, ErrorKind::NotFound)?;
        good("detach", run.detach(id, Some(node)).await)?;
    }
    let volume = run.volume("a").await?;
    for node in ["no such node", "ins-99999999"] {
        let attached = run.attach(&volume.id, node, Access::SINGLE_WRITER).await;
        refused("attach to an unknown node", attached, ErrorKind::NotFound)?;
        good("detach from an unknown node", run.detach(&volume.id, Some(node)).await)?;
        refused("limit of an unknown node", run.volumes().attach_limit(node).await, ErrorKind::NotFound)?;
    }
    Ok(())
}

async fn other_zone(run: &Run<'_>) -> Outcome {
    let volume = run.volume("a").await?;
    let attached = run.attach(&volume.id, &run.cloud.other_node, Access::SINGLE_WRITER).await;
    refused("a node of another zone", attached, ErrorKind::InvalidArgument)
}

async fn limit(run: &Run<'_>) -> Outcome {
    let node = &run.cloud.nodes[0];
    let limit = good("limit", run.volumes().attach_limit(node).await)?;
    holds("a node takes some", limit > 0)?;
    for number in 0..limit {
        let volume = run.volume(&format!("v{number}")).await?;
        good("attach", run.attach(&volume.id, node, Access::SINGLE_WRITER).await)?;
    }
    // What the provider keeps back may leave room for a few more.
    for number in 0..16 {
        let volume = run.volume(&format!("w{number}")).await?;
        match run.attach(&volume.id, node, Access::SINGLE_WRITER).await {
            Ok(_) => {}
            result => return refused("one too many", result, ErrorKind::Exhausted(Exhausted::AttachLimit)),
        }
    }
    Err(format!("a node with a limit of {limit} takes 16 more"))
}

async fn many_read(run: &Run<'_>) -> Outcome {
    let volume = good("create", run.create(&run.request("a").shareable()).await)?;
    let [first, second] = &run.cloud.nodes;
    for node in [first, second] {
        let attachment = good("attach", run.attach(&volume.id, node, Access::READER).await)?;
        holds("it is for reading only", attachment.read_only)?;
    }
    good("detach", run.detach(&volume.id, Some(first)).await)?;
    let seen = good("get", run.volumes().get(&volume.id).await)?;
    holds("only the second has it", seen.on(first).is_none() && seen.on(second).is_some())?;
    let alone = run.attach(&volume.id, first, Access::SINGLE_WRITER).await;
    refused("writing alone", alone, ErrorKind::InUse)
}

async fn one_writes(run: &Run<'_>) -> Outcome {
    let volume = good("create", run.create(&run.request("a").shareable()).await)?;
    let [first, second] = &run.cloud.nodes;
    let writer = good("attach", run.attach(&volume.id, first, Access::WRITER_AMONG_READERS).await)?;
    holds("the first writes", !writer.read_only)?;
    let two = run.attach(&volume.id, second, Access::WRITER_AMONG_READERS).await;
    refused("a second writer", two, ErrorKind::InUse)?;
    let pure = run.attach(&volume.id, second, Access::READER).await;
    refused("a reader that bears no writer", pure, ErrorKind::InUse)?;
    let reader = good("attach", run.attach(&volume.id, second, Access::READER_BESIDE_WRITER).await)?;
    holds("the second reads", reader.read_only)?;
    good("detach", run.detach(&volume.id, Some(first)).await)?;
    good("detach", run.detach(&volume.id, Some(second)).await)?;
    good("attach", run.attach(&volume.id, second, Access::WRITER_AMONG_READERS).await).map(drop)
}

async fn restarted(run: &Run<'_>) -> Outcome {
    let volume = run.volume("a").await?;
    let [first, second] = &run.cloud.nodes;
    // Begun by one process, finished by the next.
    let _ = run.volumes().attach(&volume.id, first, Access::SINGLE_WRITER).await;
    let again = Run { harness: run.harness, cloud: run.harness.restarted(&run.cloud).await };
    good("attach", again.attach(&volume.id, first, Access::SINGLE_WRITER).await)?;
    let other = again.attach(&volume.id, second, Access::SINGLE_WRITER).await;
    refused("a second node", other, ErrorKind::InUse)?;
    let _ = again.volumes().detach(&volume.id, Some(first)).await;
    good("detach", run.detach(&volume.id, Some(first)).await)
}

async fn lost_node(run: &Run<'_>) -> Outcome {
    let volume = run.volume("a").await?;
    let [first, second] = &run.cloud.nodes;
    good("attach", run.attach(&volume.id, first, Access::SINGLE_WRITER).await)?;
    if !run.harness.lose_node(&run.cloud, first).await {
        return Ok(());
    }
    good("detach", run.detach(&volume.id, Some(first)).await)?;
    good("attach", run.attach(&volume.id, second, Access::SINGLE_WRITER).await).map(drop)
}
