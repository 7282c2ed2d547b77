"""TKE: clusters, their routes, and node pools in both versions of the API."""

import json

from support import TYPE, Life, Network, equal

NEWER = "2022-05-01"


class Tke(Life):
    service = "tke"
    steps = (
        "clusters",
        "pages_of_clusters",
        "change",
        "routes",
        "mistakes",
        "node_pool",
        "native_pool",
        "delete",
    )
    long = ("routes", "node_pool")

    def clusters(self):
        self.network = Network(self, instances=2)
        self.ids = []
        for number in (20, 21):
            made = self.call(
                "CreateCluster",
                ClusterType="MANAGED_CLUSTER",
                ClusterCIDRSettings={"ClusterCIDR": f"172.{number}.0.0/16", "MaxNodePodNum": 64},
                ClusterBasicSettings={
                    "ClusterName": self.name,
                    "VpcId": self.network.vpc,
                    "TagSpecification": [
                        {"ResourceType": "cluster", "Tags": [{"Key": "made-by", "Value": self.name}]}
                    ],
                },
            )
            self.ids.append(made["ClusterId"])
        self.wait(self.states, ["Running"] * 2)
        self.cluster = self.ids[0]
        assert self.call("DescribeClusterKubeconfig", ClusterId=self.cluster)["Kubeconfig"]

    def pages_of_clusters(self):
        mine = [{"Name": "vpc-id", "Values": [self.network.vpc]}]
        equal(sorted(self.pages("DescribeClusters", "Clusters", "ClusterId", Filters=mine)), sorted(self.ids))
        newer = self.of("tke", "DescribeClusters", NEWER, ClusterIds=self.ids)
        equal(sorted(cluster["ClusterId"] for cluster in newer["Clusters"]), sorted(self.ids))

    def change(self):
        changed = self.call("ModifyClusterAttribute", ClusterId=self.cluster, ClusterName="改名", ClusterDesc="changed")
        equal(changed["ClusterName"], "改名")
        found = self.call("DescribeClusters", ClusterIds=[self.cluster])["Clusters"][0]
        equal((found["ClusterName"], found["ClusterDescription"]), ("改名", "changed"))

    def routes(self):
        table = "table-" + self.name
        self.call(
            "CreateClusterRouteTable",
            RouteTableName=table,
            RouteTableCidrBlock="10.244.0.0/16",
            VpcId=self.network.vpc,
        )
        gateways = [instance["PrivateIpAddresses"][0] for instance in self.network.found()]
        routes = {f"10.244.{number}.0/24": gateway for number, gateway in enumerate(gateways)}
        for block, gateway in routes.items():
            self.call("CreateClusterRoute", RouteTableName=table, DestinationCidrBlock=block, GatewayIp=gateway)
        found = self.call("DescribeClusterRoutes", RouteTableName=table)
        equal({route["DestinationCidrBlock"]: route["GatewayIp"] for route in found["RouteSet"]}, routes)
        self.refused("InvalidParameter.RouteTableNotEmpty", "DeleteClusterRouteTable", RouteTableName=table)
        for block, gateway in routes.items():
            self.call("DeleteClusterRoute", RouteTableName=table, DestinationCidrBlock=block, GatewayIp=gateway)
        self.call("DeleteClusterRouteTable", RouteTableName=table)

    def mistakes(self):
        missing = {"ClusterId": "cls-00000000", "InstanceDeleteMode": "retain"}
        self.refused("ResourceNotFound.ClusterNotFound", "DeleteCluster", **missing)
        unfit = {"ClusterCIDR": "8.8.0.0/16"}
        self.refused(
            "InvalidParameter.InvalidPrivateNetworkCIDR",
            "CreateCluster",
            ClusterType="MANAGED_CLUSTER",
            ClusterCIDRSettings=unfit,
            ClusterBasicSettings={"VpcId": self.network.vpc},
        )

    def node_pool(self):
        scaling = {
            "MinSize": 0,
            "DesiredCapacity": 2,
            "MaxSize": 5,
            "VpcId": self.network.vpc,
            "SubnetIds": [self.network.subnet],
        }
        pool = self.call(
            "CreateClusterNodePool",
            ClusterId=self.cluster,
            Name="workers",
            AutoScalingGroupPara=json.dumps(scaling),
            LaunchConfigurePara=json.dumps({"InstanceType": TYPE}),
            # A query has no way to write an empty object.
            InstanceAdvancedSettings={"Unschedulable": 0},
            EnableAutoscale=True,
            Labels=[{"Name": "tier", "Value": "web"}],
        )["NodePoolId"]
        which = {"ClusterId": self.cluster, "NodePoolId": pool}
        self.wait(self.nodes, ["running"] * 2)
        self.call("ModifyClusterNodePool", **which, Name="changed", MaxNodesNum=6)
        detail = self.call("DescribeClusterNodePoolDetail", **which)["NodePool"]
        equal((detail["Name"], detail["MaxNodesNum"], detail["LifeState"]), ("changed", 6, "normal"))
        self.call("ModifyNodePoolDesiredCapacityAboutAsg", **which, DesiredCapacity=3)
        self.wait(self.nodes, ["running"] * 3)
        seen = self.pages("DescribeClusterInstances", "InstanceSet", "InstanceId", ClusterId=self.cluster)
        equal(len(set(seen)), 3)
        self.call("DeleteClusterNodePool", ClusterId=self.cluster, NodePoolIds=[pool], KeepInstance=False)
        self.wait(lambda: self.call("DescribeClusterNodePools", ClusterId=self.cluster)["NodePoolSet"], [])
        self.wait(self.nodes, [])

    def native_pool(self):
        native = {
            "Scaling": {"MinReplicas": 1, "MaxReplicas": 4},
            "SubnetIds": [self.network.subnet],
            "InstanceChargeType": "POSTPAID_BY_HOUR",
            "SystemDisk": {"DiskType": "CLOUD_PREMIUM", "DiskSize": 50},
            "InstanceTypes": ["SA2.MEDIUM4"],
            "Replicas": 2,
        }
        pool = self.newer("CreateNodePool", Name="native", Type="Native", Native=native)["NodePoolId"]
        self.wait(self.machines, ["Running"] * 2)
        self.newer("ModifyNodePool", NodePoolId=pool, Name="changed")
        found = self.newer("DescribeNodePools", Limit=1, Offset=0)
        equal([(found["NodePoolId"], found["Name"]) for found in found["NodePools"]], [(pool, "changed")])
        self.newer("ScaleNodePool", NodePoolId=pool, Replicas=3)
        self.wait(self.machines, ["Running"] * 3)
        self.newer("DeleteNodePool", NodePoolId=pool)
        self.wait(lambda: self.newer("DescribeNodePools")["NodePools"] or [], [])
        self.wait(self.machines, [])

    def delete(self):
        for cluster in self.ids:
            self.call("DeleteCluster", ClusterId=cluster, InstanceDeleteMode="terminate")
        self.wait(self.states, [])
        self.network.delete()

    def newer(self, action, **parameters):
        return self.of("tke", action, NEWER, ClusterId=self.cluster, **parameters)

    def states(self):
        found = self.call("DescribeClusters", Filters=[{"Name": "vpc-id", "Values": [self.network.vpc]}])["Clusters"]
        return [cluster["ClusterStatus"] for cluster in found]

    def nodes(self):
        found = self.call("DescribeClusterInstances", ClusterId=self.cluster, Limit=100)["InstanceSet"]
        return [node["InstanceState"] for node in found]

    def machines(self):
        return [machine["MachineState"] for machine in self.newer("DescribeClusterMachines")["Machines"] or []]
