"""CBS: disks, snapshots and snapshot policies."""

from support import ZONE, Life, Network, equal


class Cbs(Life):
    service = "cbs"
    steps = (
        "disks",
        "pages_of_disks",
        "change",
        "attach",
        "mistakes",
        "take_snapshots",
        "detach",
        "roll_back",
        "delete_snapshots",
        "policy",
        "delete",
    )
    long = ("roll_back", "policy")

    def disks(self):
        self.network = Network(self, instances=1)
        request = {
            "Placement": {"Zone": ZONE},
            "DiskChargeType": "POSTPAID_BY_HOUR",
            "DiskType": "CLOUD_PREMIUM",
            "DiskSize": 20,
            "DiskCount": 3,
            "DiskName": self.name,
            "Tags": [{"Key": "made-by", "Value": self.name}],
            "ClientToken": "token-" + self.name,
        }
        self.ids = self.call("CreateDisks", **request)["DiskIdSet"]
        equal(len(self.ids), 3)
        equal(self.call("CreateDisks", **request)["DiskIdSet"], self.ids)
        self.wait(self.states, ["UNATTACHED"] * 3)

    def pages_of_disks(self):
        mine = [{"Name": "tag:made-by", "Values": [self.name]}]
        equal(sorted(self.pages("DescribeDisks", "DiskSet", "DiskId", Filters=mine)), sorted(self.ids))

    def change(self):
        self.call("ModifyDiskAttributes", DiskIds=self.ids[:1], DiskName="改名")
        self.call("ResizeDisk", DiskId=self.ids[0], DiskSize=50)
        self.wait(self.states, ["UNATTACHED"] * 3)
        found = self.call("DescribeDisks", DiskIds=self.ids[:1])["DiskSet"]
        equal([(disk["DiskName"], disk["DiskSize"]) for disk in found], [("改名", 50)])

    def attach(self):
        instance = self.network.instances[0]
        self.call("AttachDisks", InstanceId=instance, DiskIds=self.ids[:2])
        self.wait(self.states, ["ATTACHED", "ATTACHED", "UNATTACHED"])
        counted = self.call("DescribeInstancesDiskNum", InstanceIds=[instance])["AttachDetail"]
        equal([detail["InstanceId"] for detail in counted], [instance])

    def mistakes(self):
        self.refused("InvalidDiskId.NotFound", "TerminateDisks", DiskIds=["disk-00000000"])
        self.refused("InvalidParameterValue", "ResizeDisk", DiskId=self.ids[0], DiskSize=10)

    def take_snapshots(self):
        tags = [{"Key": "made-by", "Value": self.name}]
        made = [
            self.call("CreateSnapshot", DiskId=disk, SnapshotName=self.name, Tags=tags)["SnapshotId"]
            for disk in self.ids[:2]
        ]
        self.snapshots = made
        self.wait(self.snapshot_states, ["NORMAL"] * 2)
        named = [{"Name": "snapshot-name", "Values": [self.name]}]
        equal(sorted(self.pages("DescribeSnapshots", "SnapshotSet", "SnapshotId", Filters=named)), sorted(made))
        self.call("ModifySnapshotAttribute", SnapshotId=made[0], SnapshotName="changed")
        found = self.call("DescribeSnapshots", SnapshotIds=made[:1])["SnapshotSet"]
        equal(found[0]["SnapshotName"], "changed")

    def detach(self):
        self.call("DetachDisks", DiskIds=self.ids[:2], InstanceId=self.network.instances[0])
        self.wait(self.states, ["UNATTACHED"] * 3)

    def roll_back(self):
        self.call("ApplySnapshot", SnapshotId=self.snapshots[0], DiskId=self.ids[0])
        self.wait(self.states, ["UNATTACHED"] * 3)
        self.wait(self.snapshot_states, ["NORMAL"] * 2)

    def delete_snapshots(self):
        self.call("DeleteSnapshots", SnapshotIds=self.snapshots)
        self.wait(self.snapshot_states, [])

    def policy(self):
        times = [{"Hour": [9], "DayOfWeek": [1, 4]}]
        made = self.call("CreateAutoSnapshotPolicy", Policy=times, AutoSnapshotPolicyName=self.name)
        policy = made["AutoSnapshotPolicyId"]
        self.call("BindAutoSnapshotPolicy", AutoSnapshotPolicyId=policy, DiskIds=self.ids[:1])
        self.call("ModifyAutoSnapshotPolicyAttribute", AutoSnapshotPolicyId=policy, RetentionDays=3)
        found = self.call("DescribeAutoSnapshotPolicies", AutoSnapshotPolicyIds=[policy])["AutoSnapshotPolicySet"]
        equal([(policy["DiskIdSet"], policy["RetentionDays"]) for policy in found], [(self.ids[:1], 3)])
        self.call("UnbindAutoSnapshotPolicy", AutoSnapshotPolicyId=policy, DiskIds=self.ids[:1])
        self.call("DeleteAutoSnapshotPolicies", AutoSnapshotPolicyIds=[policy])

    def delete(self):
        self.call("TerminateDisks", DiskIds=self.ids)
        self.wait(self.states, [])
        self.network.delete()

    def states(self):
        found = self.call("DescribeDisks", Filters=[{"Name": "tag:made-by", "Values": [self.name]}])["DiskSet"]
        return sorted(disk["DiskState"] for disk in found)

    def snapshot_states(self):
        found = self.call("DescribeSnapshots", SnapshotIds=self.snapshots)["SnapshotSet"]
        return [snapshot["SnapshotState"] for snapshot in found]
