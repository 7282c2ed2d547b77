//! Waiting for network interfaces, elastic addresses, NAT gateways and tasks.

#[cfg(feature = "eip")]
pub use eip::*;
#[cfg(feature = "eni")]
pub use eni::*;
#[cfg(feature = "nat")]
pub use nat::*;
#[cfg(feature = "task")]
pub use task::*;

#[cfg(feature = "eni")]
mod eni {
    use qcloud_core::wait::{Condition, Wait, Watch, is_gone, state_in};

    use crate::Client;
    use crate::model::{DescribeNetworkInterfaces, NetworkInterface, NetworkInterfaceState};

    const INTERFACES: Watch<NetworkInterface> = Watch::new(
        "network interfaces",
        |interface| &interface.network_interface_id,
        |interface| interface.state.to_string(),
    );

    impl Client {
        /// Waits until network interfaces are as `condition` says, and gives them. See [`Wait`].
        pub fn wait_for_network_interfaces<'c>(
            &'c self,
            ids: impl IntoIterator<Item = impl Into<String>>,
            condition: impl Condition<NetworkInterface> + 'c,
        ) -> Wait<'c, NetworkInterface> {
            let look = move |ids: Vec<String>| {
                let request = DescribeNetworkInterfaces::new().network_interface_ids(ids).limit(100_u64);
                let call = self.describe_network_interfaces(request);
                Box::pin(async move { Ok(call.await?.network_interface_set) }) as _
            };
            Wait::new(self.config(), INTERFACES, ids, look, condition)
        }
    }

    fn state(interface: &NetworkInterface) -> &NetworkInterfaceState {
        &interface.state
    }

    /// The interface exists and is attached to nothing. Hopeless while it is being deleted.
    pub fn is_interface_available() -> impl Condition<NetworkInterface> {
        state_in(state, &[NetworkInterfaceState::Available], &[NetworkInterfaceState::Deleting])
    }

    /// The interface is attached to an instance. Hopeless while it is being deleted.
    pub fn is_interface_attached() -> impl Condition<NetworkInterface> {
        state_in(state, &[NetworkInterfaceState::Inuse], &[NetworkInterfaceState::Deleting])
    }

    /// The interface is no longer listed. For interfaces that have been listed before.
    pub fn is_interface_deleted() -> impl Condition<NetworkInterface> {
        is_gone()
    }
}

#[cfg(feature = "eip")]
mod eip {
    use qcloud_core::wait::{Condition, Wait, Watch, is_gone, state_in};

    use crate::Client;
    use crate::model::{Address, AddressStatus, DescribeAddresses};

    const ADDRESSES: Watch<Address> =
        Watch::new("addresses", |address| &address.address_id, |address| address.address_status.to_string());

    impl Client {
        /// Waits until elastic addresses are as `condition` says, and gives them. See [`Wait`].
        pub fn wait_for_addresses<'c>(
            &'c self,
            ids: impl IntoIterator<Item = impl Into<String>>,
            condition: impl Condition<Address> + 'c,
        ) -> Wait<'c, Address> {
            let look = move |ids: Vec<String>| {
                let call = self.describe_addresses(DescribeAddresses::new().address_ids(ids).limit(100));
                Box::pin(async move { Ok(call.await?.address_set) }) as _
            };
            Wait::new(self.config(), ADDRESSES, ids, look, condition)
        }
    }

    fn status(address: &Address) -> &AddressStatus {
        &address.address_status
    }

    /// The address exists and is bound to nothing. Hopeless while it is being released.
    pub fn is_address_unbound() -> impl Condition<Address> {
        state_in(status, &[AddressStatus::Unbind], &[AddressStatus::Offlining])
    }

    /// The address is bound to an instance or an interface. Hopeless while it is being released.
    pub fn is_address_bound() -> impl Condition<Address> {
        state_in(status, &[AddressStatus::Bind, AddressStatus::BindEni], &[AddressStatus::Offlining])
    }

    /// The address is no longer listed. For addresses that have been listed before.
    pub fn is_address_released() -> impl Condition<Address> {
        is_gone()
    }
}

#[cfg(feature = "nat")]
mod nat {
    use qcloud_core::wait::{Condition, Wait, Watch, is_gone, state_in};

    use crate::Client;
    use crate::model::{DescribeNatGateways, NatGateway, NatGatewayState};

    const GATEWAYS: Watch<NatGateway> =
        Watch::new("NAT gateways", |gateway| &gateway.nat_gateway_id, |gateway| gateway.state.to_string());

    impl Client {
        /// Waits until NAT gateways are as `condition` says, and gives them. See [`Wait`].
        pub fn wait_for_nat_gateways<'c>(
            &'c self,
            ids: impl IntoIterator<Item = impl Into<String>>,
            condition: impl Condition<NatGateway> + 'c,
        ) -> Wait<'c, NatGateway> {
            let look = move |ids: Vec<String>| {
                let call = self.describe_nat_gateways(DescribeNatGateways::new().nat_gateway_ids(ids).limit(100_u64));
                Box::pin(async move { Ok(call.await?.nat_gateway_set) }) as _
            };
            Wait::new(self.config(), GATEWAYS, ids, look, condition)
        }
    }

    fn state(gateway: &NatGateway) -> &NatGatewayState {
        &gateway.state
    }

    /// The gateway can be used as a next hop. Hopeless when its creation failed or it is being deleted.
    pub fn is_nat_gateway_available() -> impl Condition<NatGateway> {
        state_in(
            state,
            &[NatGatewayState::Available],
            &[
                NatGatewayState::Deleting,
                NatGatewayState::Pendfailure,
                NatGatewayState::Deletefailure,
                NatGatewayState::Denied,
            ],
        )
    }

    /// The gateway is no longer listed. For gateways that have been listed before.
    pub fn is_nat_gateway_deleted() -> impl Condition<NatGateway> {
        is_gone()
    }
}

#[cfg(feature = "task")]
mod task {
    use std::time::Duration;

    use qcloud_core::wait::{Condition, Verdict, Wait, Watch};

    use crate::Client;
    use crate::model::{DescribeTaskResult, DescribeVpcTaskResult, TaskStatus};

    /// An asynchronous task at one moment.
    #[derive(Clone, Debug, PartialEq, Eq)]
    #[non_exhaustive]
    pub struct Task {
        /// Its id: the request id of the action that began it, or the task id which that action answered.
        pub id: String,
        /// How far it is.
        pub status: TaskStatus,
        /// What the task itself reported; empty when it said nothing.
        pub output: String,
    }

    const TASKS: Watch<Task> = Watch::new("tasks", |task: &Task| &task.id, |task| task.status.to_string()).most_ids(1);

    impl Client {
        /// Waits until a task of a network interface, a NAT gateway or another VPC resource has succeeded. The id is
        /// the request id of the action that began it. Looks every second at first; see [`Wait`].
        pub fn wait_for_vpc_task(&self, request_id: impl Into<String>) -> Wait<'_, Task> {
            let look = move |ids: Vec<String>| {
                Box::pin(async move {
                    let mut tasks = Vec::new();
                    for id in ids {
                        let answer = self.describe_vpc_task_result(DescribeVpcTaskResult::new(id.as_str())).await?;
                        tasks.push(Task { id, status: answer.status, output: answer.output });
                    }
                    Ok(tasks)
                }) as _
            };
            Wait::new(self.config(), TASKS, [request_id], look, has_succeeded())
                .with_pauses(Duration::from_secs(1), Duration::from_secs(5))
        }

        /// Waits until a task of an elastic address has succeeded. The id is the `TaskId` of the answer that began it.
        pub fn wait_for_task(&self, task_id: u64) -> Wait<'_, Task> {
            let look = move |ids: Vec<String>| {
                let call = self.describe_task_result(DescribeTaskResult::new().task_id(task_id));
                Box::pin(async move {
                    let status = call.await?.result;
                    Ok(ids.into_iter().map(|id| Task { id, status: status.clone(), output: String::new() }).collect())
                }) as _
            };
            Wait::new(self.config(), TASKS, [task_id.to_string()], look, has_succeeded())
                .with_pauses(Duration::from_secs(1), Duration::from_secs(5))
        }
    }

    /// The task has succeeded. Hopeless when it has failed.
    pub fn has_succeeded() -> impl Condition<Task> {
        |task: Option<&Task>| match task {
            Some(task) if task.status == TaskStatus::Success => Verdict::Met,
            Some(task) if task.status == TaskStatus::Failed => {
                let why = if task.output.is_empty() { "no reason given" } else { &task.output };
                Verdict::Impossible(format!("the task failed: {why}"))
            }
            _ => Verdict::NotYet,
        }
    }
}
