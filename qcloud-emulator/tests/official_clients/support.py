"""What the lives share: calls, refusals, waits, pages, and a network with instances to work on."""

from clients import Refused

ZONE = "ap-guangzhou-3"
IMAGE = "img-487zeit5"
TYPE = "S5.MEDIUM4"

VERSIONS = {
    "cbs": "2017-03-12",
    "clb": "2018-03-17",
    "cvm": "2017-03-12",
    "sts": "2018-08-13",
    "tke": "2018-05-25",
    "vpc": "2017-03-12",
}


def equal(found, expected):
    if found != expected:
        raise AssertionError(f"found {found!r}, expected {expected!r}")


class Life:
    """The life of one service's resources, by one client. Its steps build on each other."""

    service = ""
    steps = ()
    # Steps that a client is spared for which each call is a process of its own. No other step builds on them.
    long = ()

    def __init__(self, client):
        self.client = client
        # For names that are unique among the clients, which work at the same time.
        self.name = client.name

    def call(self, action, **parameters):
        """An action of this life's own service."""
        return self.of(self.service, action, **parameters)

    def of(self, service, action, version=None, **parameters):
        return self.client.call(service, version or VERSIONS[service], action, parameters)

    def refused(self, code, action, **parameters):
        try:
            self.call(action, **parameters)
        except Refused as refusal:
            equal(refusal.code, code)
            assert refusal.request_id, "a refusal without a request id"
        else:
            raise AssertionError(f"{action} was not refused with {code}")

    def wait(self, probe, expected):
        """Each request puts the emulator's clock forward, so there is no need to sleep."""
        for _ in range(60):
            found = probe()
            if found == expected:
                return
        raise AssertionError(f"stays {found!r}, expected {expected!r}")

    def pages(self, action, items, ids, offset=int, total="TotalCount", **parameters):
        """The ids of all items, asked for one by one."""
        seen = []
        while True:
            page = self.call(action, Offset=offset(len(seen)), Limit=offset(1), **parameters)
            found = page.get(items) or []
            assert len(found) <= 1, f"{len(found)} items on a page of one"
            if not found:
                equal(page[total], len(seen))
                return seen
            seen.append(found[0][ids])


class Network:
    """A VPC with a subnet and, when asked for, instances that run there."""

    def __init__(self, life, instances=0):
        self.life = life
        self.instances = []
        made = life.of("vpc", "CreateVpc", VpcName=life.name, CidrBlock="10.0.0.0/16")
        self.vpc = made["Vpc"]["VpcId"]
        made = life.of(
            "vpc", "CreateSubnet", VpcId=self.vpc, SubnetName=life.name, Zone=ZONE, CidrBlock="10.0.1.0/24"
        )
        self.subnet = made["Subnet"]["SubnetId"]
        if instances:
            self.run(instances)

    def run(self, count):
        made = self.life.of(
            "cvm",
            "RunInstances",
            Placement={"Zone": ZONE},
            ImageId=IMAGE,
            InstanceType=TYPE,
            InstanceCount=count,
            VirtualPrivateCloud={"VpcId": self.vpc, "SubnetId": self.subnet},
        )
        self.instances = made["InstanceIdSet"]
        self.life.wait(self.states, ["RUNNING"] * count)

    def found(self):
        mine = [{"Name": "vpc-id", "Values": [self.vpc]}]
        return self.life.of("cvm", "DescribeInstances", Filters=mine, Limit=100)["InstanceSet"]

    def states(self):
        return [instance["InstanceState"] for instance in self.found()]

    def delete(self):
        if self.instances:
            self.life.of("cvm", "TerminateInstances", InstanceIds=self.instances)
            self.life.wait(self.states, [])
        self.life.of("vpc", "DeleteSubnet", SubnetId=self.subnet)
        self.life.of("vpc", "DeleteVpc", VpcId=self.vpc)
