"""STS: a role assumed, and its temporary keys used."""

from clients import Refused
from support import Life, equal


class Sts(Life):
    service = "sts"
    steps = ("root", "role", "mistakes")

    def root(self):
        equal(self.call("GetCallerIdentity")["Type"], "RootAccount")

    def role(self):
        answer = self.call(
            "AssumeRole",
            RoleArn="qcs::cam::uin/100000000001:roleName/deploy",
            RoleSessionName=self.name,
            DurationSeconds=1800,
        )
        keys = answer["Credentials"]
        borrowed = self.client.with_keys(keys["TmpSecretId"], keys["TmpSecretKey"], keys["Token"])
        try:
            assumed = Sts(borrowed)
            equal(assumed.call("GetCallerIdentity")["Type"], "CAMRole")
            assert assumed.of("cvm", "DescribeZones")["TotalCount"] > 0
        finally:
            borrowed.close()

    def mistakes(self):
        unfit = {"RoleArn": "deploy", "RoleSessionName": "x"}
        self.refused("InvalidParameter.ParamError", "AssumeRole", **unfit)
        stranger = self.client.with_keys(self.client.place.secret_id, "a wrong key", None)
        try:
            stranger.call("sts", "2018-08-13", "GetCallerIdentity", {})
        except Refused as refusal:
            equal(refusal.code, "AuthFailure.SignatureFailure")
        else:
            raise AssertionError("a wrong key was accepted")
        finally:
            stranger.close()
