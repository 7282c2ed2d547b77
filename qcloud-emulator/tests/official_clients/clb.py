"""CLB: load balancers, listeners, rules and targets."""

from support import Life, Network, equal


class Clb(Life):
    service = "clb"
    steps = (
        "balancers",
        "pages_of_balancers",
        "listeners",
        "targets",
        "mistakes",
        "change",
        "unbind",
        "delete",
    )

    def balancers(self):
        self.network = Network(self, instances=2)
        request = {
            "LoadBalancerType": "OPEN",
            "LoadBalancerName": self.name,
            "VpcId": self.network.vpc,
            "Number": 3,
            "Tags": [{"TagKey": "made-by", "TagValue": self.name}],
            "ClientToken": "token-" + self.name,
        }
        self.ids = self.call("CreateLoadBalancer", **request)["LoadBalancerIds"]
        equal(len(self.ids), 3)
        equal(self.call("CreateLoadBalancer", **request)["LoadBalancerIds"], self.ids)
        self.wait(self.states, [1] * 3)

    def pages_of_balancers(self):
        mine = [{"Name": "tag:made-by", "Values": [self.name]}]
        # The newest come first when nothing is said.
        seen = self.pages(
            "DescribeLoadBalancers", "LoadBalancerSet", "LoadBalancerId", Filters=mine, OrderBy="CreateTime", OrderType=0
        )
        equal(sorted(seen), sorted(self.ids))

    def listeners(self):
        ids = self.done("CreateListener", Ports=[80, 443], Protocol="TCP", ListenerNames=["a", "b"])["ListenerIds"]
        self.tcp = ids[0]
        equal(len(ids), 2)
        self.http = self.done("CreateListener", Ports=[8080], Protocol="HTTP", ListenerNames=["c"])["ListenerIds"][0]
        rule = {"Domain": "example.com", "Url": "/", "Scheduler": "WRR"}
        self.location = self.done("CreateRule", ListenerId=self.http, Rules=[rule])["LocationIds"][0]
        found = self.call("DescribeListeners", LoadBalancerId=self.ids[0])
        equal(sorted(listener["Port"] for listener in found["Listeners"]), [80, 443, 8080])
        rules = [rule for listener in found["Listeners"] for rule in listener["Rules"] or []]
        equal([(rule["Domain"], rule["Url"]) for rule in rules], [("example.com", "/")])

    def targets(self):
        targets = [{"InstanceId": instance, "Port": 80, "Weight": 5} for instance in self.network.instances]
        self.done("RegisterTargets", ListenerId=self.tcp, Targets=targets)
        batch = [
            {"ListenerId": self.http, "LocationId": self.location, "InstanceId": self.network.instances[0], "Port": 81}
        ]
        answer = self.call("BatchRegisterTargets", LoadBalancerId=self.ids[0], Targets=batch)
        equal(answer["FailListenerIdSet"] or [], [])
        equal(self.weights(), [5, 5])
        health = self.call("DescribeTargetHealth", LoadBalancerIds=self.ids[:1])["LoadBalancers"][0]
        equal(health["LoadBalancerId"], self.ids[0])

    def mistakes(self):
        again = {"LoadBalancerId": self.ids[0], "Ports": [80], "Protocol": "TCP"}
        self.refused("InvalidParameter.PortCheckFailed", "CreateListener", **again)
        self.refused("InvalidParameter", "DescribeTargets", LoadBalancerId="lb-00000000")

    def change(self):
        targets = [{"InstanceId": self.network.instances[0], "Port": 80}]
        self.done("ModifyTargetWeight", ListenerId=self.tcp, Targets=targets, Weight=50)
        equal(sorted(self.weights()), [5, 50])
        self.done("ModifyListener", ListenerId=self.tcp, ListenerName="changed", SessionExpireTime=60)
        found = self.call("DescribeListeners", LoadBalancerId=self.ids[0], ListenerIds=[self.tcp])["Listeners"]
        equal([(listener["ListenerName"], listener["SessionExpireTime"]) for listener in found], [("changed", 60)])
        self.done("ModifyLoadBalancerAttributes", LoadBalancerName="改名", DeleteProtect=False)
        found = self.call("DescribeLoadBalancers", LoadBalancerIds=self.ids[:1])["LoadBalancerSet"]
        equal(found[0]["LoadBalancerName"], "改名")

    def unbind(self):
        targets = [{"InstanceId": instance, "Port": 80} for instance in self.network.instances]
        self.done("DeregisterTargets", ListenerId=self.tcp, Targets=targets)
        equal(self.weights(), [])
        self.done("DeleteListener", ListenerId=self.http)

    def delete(self):
        self.call("DeleteLoadBalancer", LoadBalancerIds=self.ids)
        self.wait(self.states, [])
        self.network.delete()

    def done(self, action, **parameters):
        """A write to the first load balancer, and the end of its task."""
        answer = self.call(action, LoadBalancerId=self.ids[0], **parameters)
        self.wait(lambda: self.call("DescribeTaskStatus", TaskId=answer["RequestId"])["Status"], 0)
        return answer

    def states(self):
        found = self.call("DescribeLoadBalancers", Filters=[{"Name": "tag:made-by", "Values": [self.name]}])
        return [balancer["Status"] for balancer in found["LoadBalancerSet"]]

    def weights(self):
        found = self.call("DescribeTargets", LoadBalancerId=self.ids[0], ListenerIds=[self.tcp])["Listeners"]
        return [target["Weight"] for target in found[0]["Targets"] or []]
