"""VPC: networks, routes, security groups, network interfaces and elastic IPs."""

from support import ZONE, Life, Network, equal


class Vpc(Life):
    service = "vpc"
    steps = (
        "networks",
        "change",
        "pages_of_subnets",
        "routes",
        "security_groups",
        "interfaces",
        "elastic_ips",
        "mistakes",
        "delete",
    )
    long = ("routes", "interfaces", "elastic_ips")

    def networks(self):
        # One network to work in, another one that is only a network.
        self.network = Network(self, instances=1)
        value = f"{self.name} & co +"
        tags = [{"Key": "made-by", "Value": value}]
        self.vpc = self.call("CreateVpc", VpcName=self.name, CidrBlock="172.16.0.0/16", Tags=tags)["Vpc"]["VpcId"]
        self.subnets = []
        for number in (1, 2, 3):
            block = f"172.16.{number}.0/24"
            made = self.call("CreateSubnet", VpcId=self.vpc, SubnetName="s", Zone=ZONE, CidrBlock=block)
            equal((made["Subnet"]["CidrBlock"], made["Subnet"]["AvailableIpAddressCount"]), (block, 253))
            self.subnets.append(made["Subnet"]["SubnetId"])
        found = self.call("DescribeVpcs", Filters=[{"Name": "tag:made-by", "Values": [value]}])
        equal([vpc["VpcId"] for vpc in found["VpcSet"]], [self.vpc])

    def change(self):
        self.call("ModifyVpcAttribute", VpcId=self.vpc, VpcName="改名")
        equal(self.call("DescribeVpcs", VpcIds=[self.vpc])["VpcSet"][0]["VpcName"], "改名")
        self.call("ModifySubnetAttribute", SubnetId=self.subnets[0], SubnetName="changed")
        equal(self.call("DescribeSubnets", SubnetIds=self.subnets[:1])["SubnetSet"][0]["SubnetName"], "changed")

    def pages_of_subnets(self):
        # Offsets and limits are strings here.
        seen = self.pages("DescribeSubnets", "SubnetSet", "SubnetId", offset=str, Filters=self.mine(self.vpc))
        equal(sorted(seen), sorted(self.subnets))

    def routes(self):
        made = self.call("CreateRouteTable", VpcId=self.network.vpc, RouteTableName=self.name)
        table = made["RouteTable"]["RouteTableId"]
        gateway = self.network.found()[0]["PrivateIpAddresses"][0]
        route = {"DestinationCidrBlock": "192.168.0.0/24", "GatewayType": "NORMAL_CVM", "GatewayId": gateway}
        self.call("CreateRoutes", RouteTableId=table, Routes=[route])
        found = self.call("DescribeRouteTables", RouteTableIds=[table])["RouteTableSet"][0]["RouteSet"]
        mine = [route for route in found if route["DestinationCidrBlock"] == "192.168.0.0/24"]
        equal([route["GatewayType"] for route in mine], ["NORMAL_CVM"])
        self.call("DeleteRoutes", RouteTableId=table, Routes=[{"RouteId": mine[0]["RouteId"]}])
        subnet = self.call("DescribeSubnets", SubnetIds=[self.network.subnet])["SubnetSet"][0]
        self.call("ReplaceRouteTableAssociation", SubnetId=self.network.subnet, RouteTableId=table)
        self.refused("UnsupportedOperation.DelRouteWithSubnet", "DeleteRouteTable", RouteTableId=table)
        before = subnet["RouteTableId"]
        self.call("ReplaceRouteTableAssociation", SubnetId=self.network.subnet, RouteTableId=before)
        self.call("DeleteRouteTable", RouteTableId=table)

    def security_groups(self):
        made = self.call("CreateSecurityGroup", GroupName=self.name, GroupDescription="a <group> & more")
        group = made["SecurityGroup"]["SecurityGroupId"]
        policy = {"Protocol": "TCP", "Port": "80,443", "CidrBlock": "0.0.0.0/0", "Action": "ACCEPT"}
        self.call("CreateSecurityGroupPolicies", SecurityGroupId=group, SecurityGroupPolicySet={"Ingress": [policy]})
        found = self.call("DescribeSecurityGroupPolicies", SecurityGroupId=group)["SecurityGroupPolicySet"]
        equal([rule["Port"] for rule in found["Ingress"]], ["80,443"])
        self.call("ModifySecurityGroupAttribute", SecurityGroupId=group, GroupName="changed")
        found = self.call("DescribeSecurityGroups", SecurityGroupIds=[group])["SecurityGroupSet"]
        equal([(found[0]["SecurityGroupName"], found[0]["SecurityGroupDesc"])], [("changed", "a <group> & more")])
        self.call("DeleteSecurityGroup", SecurityGroupId=group)

    def interfaces(self):
        instance = self.network.instances[0]
        made = self.call(
            "CreateNetworkInterface",
            VpcId=self.network.vpc,
            SubnetId=self.network.subnet,
            NetworkInterfaceName=self.name,
        )
        interface = made["NetworkInterface"]["NetworkInterfaceId"]

        def found():
            return self.call("DescribeNetworkInterfaces", NetworkInterfaceIds=[interface])["NetworkInterfaceSet"]

        def states():
            return [(found["State"], bool(found["Attachment"])) for found in found()]

        self.wait(states, [("AVAILABLE", False)])
        self.call("AssignPrivateIpAddresses", NetworkInterfaceId=interface, SecondaryPrivateIpAddressCount=2)
        self.wait(lambda: len(found()[0]["PrivateIpAddressSet"]), 3)
        self.wait(states, [("AVAILABLE", False)])
        both = {"NetworkInterfaceId": interface, "InstanceId": instance}
        self.call("AttachNetworkInterface", **both)
        self.wait(states, [("AVAILABLE", True)])
        mine = self.mine(self.network.vpc)
        seen = self.pages("DescribeNetworkInterfaces", "NetworkInterfaceSet", "NetworkInterfaceId", Filters=mine)
        assert interface in seen and len(seen) == 2, seen
        self.call("ModifyNetworkInterfaceAttribute", NetworkInterfaceId=interface, NetworkInterfaceName="changed")
        equal(found()[0]["NetworkInterfaceName"], "changed")
        self.call("DetachNetworkInterface", **both)
        self.wait(states, [("AVAILABLE", False)])
        self.call("DeleteNetworkInterface", NetworkInterfaceId=interface)
        self.wait(states, [])

    def elastic_ips(self):
        instance = self.network.instances[0]
        made = self.call("AllocateAddresses", AddressCount=2, AddressName=self.name, InternetMaxBandwidthOut=10)
        ids = made["AddressSet"]

        def states():
            found = self.call("DescribeAddresses", AddressIds=ids)["AddressSet"]
            return sorted(address["AddressStatus"] for address in found)

        self.wait(states, ["UNBIND"] * 2)
        named = [{"Name": "address-name", "Values": [self.name]}]
        equal(sorted(self.pages("DescribeAddresses", "AddressSet", "AddressId", Filters=named)), sorted(ids))
        self.call("AssociateAddress", AddressId=ids[0], InstanceId=instance)
        self.wait(states, ["BIND", "UNBIND"])
        self.refused("UnsupportedOperation.AddressStatusNotPermit", "ReleaseAddresses", AddressIds=ids[:1])
        self.call("DisassociateAddress", AddressId=ids[0])
        self.wait(states, ["UNBIND"] * 2)
        self.call("ModifyAddressesBandwidth", AddressIds=ids, InternetMaxBandwidthOut=20)
        self.wait(lambda: self.call("DescribeAddresses", AddressIds=ids)["AddressSet"][0]["Bandwidth"], 20)
        self.wait(states, ["UNBIND"] * 2)
        self.call("ReleaseAddresses", AddressIds=ids)
        self.wait(states, [])

    def mistakes(self):
        self.refused("ResourceInUse", "DeleteSubnet", SubnetId=self.network.subnet)
        self.refused("ResourceInUse", "DeleteVpc", VpcId=self.vpc)
        self.refused("ResourceNotFound", "DeleteVpc", VpcId="vpc-00000000")

    def delete(self):
        self.network.delete()
        for subnet in self.subnets:
            self.call("DeleteSubnet", SubnetId=subnet)
        self.call("DeleteVpc", VpcId=self.vpc)
        equal(self.call("DescribeVpcs", VpcIds=[self.vpc])["TotalCount"], 0)

    def mine(self, vpc):
        return [{"Name": "vpc-id", "Values": [vpc]}]
