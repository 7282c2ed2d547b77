"""The official Python SDK, unchanged, against the emulator.

Needs the PyPI packages tencentcloud-sdk-python-cvm and tencentcloud-sdk-python-vpc. Takes the endpoint, the secret id
and the secret key from the command line or from TENCENTCLOUD_ENDPOINT, TENCENTCLOUD_SECRET_ID and
TENCENTCLOUD_SECRET_KEY. Prints a line for each step that fails and a summary at the end.
"""

import os
import sys
import time
import traceback
from urllib.parse import urlparse

from tencentcloud.common import credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.cvm.v20170312 import cvm_client, models as cvm
from tencentcloud.vpc.v20170312 import vpc_client, models as vpc

REGION = "ap-guangzhou"
ZONE = "ap-guangzhou-3"
IMAGE = "img-487zeit5"


class Life:
    """One life of a small network with three instances, by one HTTP method."""

    def __init__(self, endpoint, secret_id, secret_key, method):
        url = urlparse(endpoint)
        http = HttpProfile(protocol=url.scheme, endpoint=url.netloc, reqMethod=method, reqTimeout=10)
        profile = ClientProfile(httpProfile=http)
        keys = credential.Credential(secret_id, secret_key)
        self.cvm = cvm_client.CvmClient(keys, REGION, profile)
        self.vpc = vpc_client.VpcClient(keys, REGION, profile)
        self.method = method

    def steps(self):
        yield self.regions_and_zones
        yield self.network
        yield self.run
        yield self.wait_until_running
        yield self.pages
        yield self.filters
        yield self.mistakes
        yield self.stop_and_start
        yield self.terminate
        yield self.clean_up

    def regions_and_zones(self):
        regions = self.cvm.DescribeRegions(cvm.DescribeRegionsRequest())
        assert REGION in [region.Region for region in regions.RegionSet]
        zones = self.cvm.DescribeZones(cvm.DescribeZonesRequest())
        assert zones.TotalCount == len(zones.ZoneSet) > 0
        assert ZONE in [zone.Zone for zone in zones.ZoneSet]

    def network(self):
        request = vpc.CreateVpcRequest()
        request.VpcName = "python " + self.method
        request.CidrBlock = "10.0.0.0/16"
        tag = vpc.Tag()
        tag.Key, tag.Value = "made-by", "python sdk & co +"
        request.Tags = [tag]
        self.vpc_id = self.vpc.CreateVpc(request).Vpc.VpcId
        request = vpc.CreateSubnetRequest()
        request.VpcId, request.SubnetName, request.Zone, request.CidrBlock = self.vpc_id, "python", ZONE, "10.0.1.0/24"
        self.subnet_id = self.vpc.CreateSubnet(request).Subnet.SubnetId
        request = vpc.DescribeVpcsRequest()
        named = vpc.Filter()
        named.Name, named.Values = "tag:made-by", ["python sdk & co +"]
        request.Filters = [named]
        assert [found.VpcId for found in self.vpc.DescribeVpcs(request).VpcSet] == [self.vpc_id]

    def run(self):
        request = cvm.RunInstancesRequest()
        request.Placement = cvm.Placement()
        request.Placement.Zone = ZONE
        request.ImageId, request.InstanceType = IMAGE, "S5.MEDIUM4"
        request.InstanceCount, request.InstanceName = 3, "工作-{R:1}"
        request.VirtualPrivateCloud = cvm.VirtualPrivateCloud()
        request.VirtualPrivateCloud.VpcId, request.VirtualPrivateCloud.SubnetId = self.vpc_id, self.subnet_id
        request.VirtualPrivateCloud.AsVpcGateway = False
        request.ClientToken = "token-" + self.method
        self.ids = self.cvm.RunInstances(request).InstanceIdSet
        assert len(self.ids) == 3
        assert self.cvm.RunInstances(request).InstanceIdSet == self.ids

    def wait_until_running(self):
        self.wait("RUNNING", 3)

    def pages(self):
        seen = []
        for offset in range(3):
            page = self.describe(Offset=offset, Limit=1)
            assert page.TotalCount == 3, page.TotalCount
            seen += [instance.InstanceId for instance in page.InstanceSet]
        assert seen == self.ids, seen

    def filters(self):
        found = self.describe(("instance-name", ["工作-2"])).InstanceSet
        assert [instance.InstanceId for instance in found] == self.ids[1:2]
        assert found[0].InstanceState == "RUNNING" and found[0].CPU == 2
        assert found[0].VirtualPrivateCloud.SubnetId == self.subnet_id

    def mistakes(self):
        self.refused("InvalidInstanceId.NotFound", self.operate, "Stop", ["ins-00000000"])
        self.refused("UnsupportedOperation.InstanceStateRunning", self.operate, "Start", self.ids)
        request = vpc.DeleteSubnetRequest()
        request.SubnetId = self.subnet_id
        self.refused("ResourceInUse", self.vpc.DeleteSubnet, request)

    def stop_and_start(self):
        self.operate("Stop", self.ids)
        self.wait("STOPPED", 3)
        self.operate("Start", self.ids)
        self.wait("RUNNING", 3)

    def terminate(self):
        self.operate("Terminate", self.ids)
        self.wait(None, 0)

    def clean_up(self):
        request = vpc.DeleteSubnetRequest()
        request.SubnetId = self.subnet_id
        self.vpc.DeleteSubnet(request)
        request = vpc.DeleteVpcRequest()
        request.VpcId = self.vpc_id
        self.vpc.DeleteVpc(request)
        request = vpc.DescribeVpcsRequest()
        request.VpcIds = [self.vpc_id]
        assert self.vpc.DescribeVpcs(request).TotalCount == 0

    def describe(self, *filters, **members):
        request = cvm.DescribeInstancesRequest()
        request.Filters = []
        for name, values in [("vpc-id", [self.vpc_id]), *filters]:
            wanted = cvm.Filter()
            wanted.Name, wanted.Values = name, values
            request.Filters.append(wanted)
        for name, value in members.items():
            setattr(request, name, value)
        return self.cvm.DescribeInstances(request)

    def operate(self, verb, ids):
        request = getattr(cvm, verb + "InstancesRequest")()
        request.InstanceIds = ids
        if verb == "Stop":
            request.ForceStop = True
        return getattr(self.cvm, verb + "Instances")(request)

    def wait(self, state, count):
        deadline = time.monotonic() + 30
        while True:
            page = self.describe(Limit=100)
            states = [instance.InstanceState for instance in page.InstanceSet]
            if states == [state] * count:
                return
            assert time.monotonic() < deadline, states
            time.sleep(0.1)

    def refused(self, code, call, *arguments):
        try:
            call(*arguments)
        except TencentCloudSDKException as error:
            assert error.get_code() == code, error
            assert error.get_request_id(), error
        else:
            raise AssertionError("not refused: " + code)


def main():
    names = ["TENCENTCLOUD_ENDPOINT", "TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY"]
    given = sys.argv[1:] if len(sys.argv) == 4 else [os.environ.get(name, "") for name in names]
    if not all(given):
        sys.exit("usage: python_sdk.py ENDPOINT SECRET_ID SECRET_KEY, or set " + ", ".join(names))
    passed = failed = 0
    for method in ["POST", "GET"]:
        for step in Life(*given, method).steps():
            try:
                step()
                passed += 1
            except Exception:
                failed += 1
                print("failed: " + method + " " + step.__name__)
                traceback.print_exc()
                # Later steps build on this one.
                break
    print(f"python sdk: {passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
