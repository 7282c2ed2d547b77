"""CVM: instances, key pairs and images."""

from support import IMAGE, TYPE, ZONE, Life, Network, equal


class Cvm(Life):
    service = "cvm"
    steps = (
        "regions_and_zones",
        "run",
        "pages_of_instances",
        "filters",
        "mistakes",
        "change",
        "stop_and_start",
        "key_pairs",
        "image",
        "terminate",
    )
    long = ("regions_and_zones", "stop_and_start", "key_pairs", "image")

    def regions_and_zones(self):
        regions = self.call("DescribeRegions")["RegionSet"]
        assert "ap-guangzhou" in [region["Region"] for region in regions]
        zones = self.call("DescribeZones")
        assert zones["TotalCount"] == len(zones["ZoneSet"]) > 0
        assert ZONE in [zone["Zone"] for zone in zones["ZoneSet"]]

    def run(self):
        self.network = Network(self)
        request = {
            "Placement": {"Zone": ZONE},
            "ImageId": IMAGE,
            "InstanceType": TYPE,
            "InstanceCount": 3,
            "InstanceName": "工作-{R:1}",
            "VirtualPrivateCloud": {
                "VpcId": self.network.vpc,
                "SubnetId": self.network.subnet,
                "AsVpcGateway": False,
            },
            "TagSpecification": [
                {"ResourceType": "instance", "Tags": [{"Key": "made-by", "Value": "an sdk & co + <x> *~"}]}
            ],
            "ClientToken": "token-" + self.name,
        }
        self.ids = self.call("RunInstances", **request)["InstanceIdSet"]
        equal(len(self.ids), 3)
        equal(self.call("RunInstances", **request)["InstanceIdSet"], self.ids)
        self.network.instances = self.ids
        self.wait(self.network.states, ["RUNNING"] * 3)

    def pages_of_instances(self):
        equal(self.pages("DescribeInstances", "InstanceSet", "InstanceId", Filters=self.mine()), self.ids)

    def filters(self):
        found = self.described(("instance-name", "工作-2"))
        equal([instance["InstanceId"] for instance in found], self.ids[1:2])
        equal((found[0]["InstanceState"], found[0]["CPU"]), ("RUNNING", 2))
        equal(found[0]["VirtualPrivateCloud"]["SubnetId"], self.network.subnet)
        equal(len(self.described(("tag:made-by", "an sdk & co + <x> *~"))), 3)

    def mistakes(self):
        self.refused("InvalidInstanceId.NotFound", "StopInstances", InstanceIds=["ins-00000000"])
        self.refused("UnsupportedOperation.InstanceStateRunning", "StartInstances", InstanceIds=self.ids)

    def change(self):
        self.call("ModifyInstancesAttribute", InstanceIds=self.ids[:1], InstanceName='a "name", changed')
        self.wait(lambda: self.described(("instance-id", self.ids[0]))[0]["InstanceName"], 'a "name", changed')

    def stop_and_start(self):
        self.call("StopInstances", InstanceIds=self.ids, ForceStop=True)
        self.wait(self.network.states, ["STOPPED"] * 3)
        self.call("StartInstances", InstanceIds=self.ids)
        self.wait(self.network.states, ["RUNNING"] * 3)

    def key_pairs(self):
        names = [f"{self.name}_{number}".replace("-", "_") for number in (1, 2)]
        made = [self.call("CreateKeyPair", KeyName=name, ProjectId=0)["KeyPair"] for name in names]
        ids = [pair["KeyId"] for pair in made]
        assert made[0]["PrivateKey"].startswith("-----BEGIN RSA PRIVATE KEY-----\n")
        # Other clients have theirs in between.
        seen = self.call("DescribeKeyPairs", Limit=100)["KeyPairSet"]
        assert set(ids) <= {pair["KeyId"] for pair in seen}
        equal(len(self.call("DescribeKeyPairs", Offset=1, Limit=1)["KeyPairSet"]), 1)
        self.call("ModifyKeyPairAttribute", KeyId=ids[0], KeyName=names[0], Description="changed")
        equal(self.call("DescribeKeyPairs", KeyIds=ids[:1])["KeyPairSet"][0]["Description"], "changed")
        self.call("DeleteKeyPairs", KeyIds=ids)
        self.refused("InvalidKeyPairId.NotFound", "DeleteKeyPairs", KeyIds=ids)

    def image(self):
        made = self.call("CreateImage", ImageName=self.name, InstanceId=self.ids[0], ForcePoweroff="TRUE")["ImageId"]

        def states():
            return [image["ImageState"] for image in self.call("DescribeImages", ImageIds=[made])["ImageSet"]]

        self.wait(states, ["NORMAL"])
        self.call("ModifyImageAttribute", ImageId=made, ImageName=self.name + "-2", ImageDescription="changed")
        mine = self.call("DescribeImages", Filters=[{"Name": "image-name", "Values": [self.name + "-2"]}])
        equal([image["ImageId"] for image in mine["ImageSet"]], [made])
        self.call("DeleteImages", ImageIds=[made])
        self.wait(states, [])
        self.wait(self.network.states, ["RUNNING"] * 3)

    def terminate(self):
        self.network.delete()

    def mine(self, *more):
        filters = [("vpc-id", self.network.vpc), *more]
        return [{"Name": name, "Values": [value]} for name, value in filters]

    def described(self, *filters):
        return self.call("DescribeInstances", Filters=self.mine(*filters), Limit=100)["InstanceSet"]
