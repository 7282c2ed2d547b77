"""The official clients, all with one face: `call(service, version, action, parameters)` answers with the response as a
dictionary, or raises Refused."""

import importlib
import itertools
import json
import os
import re
import subprocess
import sys
import threading

from tencentcloud.common import credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile

PATIENCE = 60


class Refused(Exception):
    """The emulator's refusal, as a client told it."""

    def __init__(self, code, message, request_id):
        super().__init__(f"{code}: {message}")
        self.code = code
        self.request_id = request_id


class Place:
    """Where the emulator is and what it accepts."""

    def __init__(self, endpoint, region, secret_id, secret_key, token=None):
        self.endpoint, self.region = endpoint, region
        self.secret_id, self.secret_key, self.token = secret_id, secret_key, token

    def with_keys(self, secret_id, secret_key, token):
        return Place(self.endpoint, self.region, secret_id, secret_key, token)


class PythonSdk:
    """tencentcloud-sdk-python, by one HTTP method."""

    slow = False

    def __init__(self, place, method):
        self.place, self.method, self.name = place, method, "python-" + method.lower()
        self.clients = {}
        self.calls = itertools.count()

    def call(self, service, version, action, parameters):
        next(self.calls)
        client, models = self.client(service, version)
        request = getattr(models, action + "Request")()
        request.from_json_string(json.dumps(parameters))
        try:
            answer = getattr(client, action)(request)
        except TencentCloudSDKException as error:
            raise Refused(error.get_code(), error.get_message(), error.get_request_id()) from None
        return json.loads(answer.to_json_string())

    def client(self, service, version):
        key = service, version
        if key not in self.clients:
            module = f"tencentcloud.{service}.v{version.replace('-', '')}"
            classes = importlib.import_module(f"{module}.{service}_client")
            scheme, host = self.place.endpoint.split("://")
            http = HttpProfile(protocol=scheme, endpoint=host, reqMethod=self.method, reqTimeout=PATIENCE)
            keys = credential.Credential(self.place.secret_id, self.place.secret_key, self.place.token)
            client = getattr(classes, service.capitalize() + "Client")
            client = client(keys, self.place.region, ClientProfile(httpProfile=http))
            self.clients[key] = client, importlib.import_module(module + ".models")
        return self.clients[key]

    def with_keys(self, *keys):
        return PythonSdk(self.place.with_keys(*keys), self.method)

    def close(self):
        pass


class Tccli:
    """The command line, one process for each call. It takes a plain http endpoint when that is written as a URL."""

    name = "tccli"
    slow = True

    def __init__(self, place, home):
        self.place, self.home = place, home
        self.calls = itertools.count()

    def call(self, service, version, action, parameters):
        next(self.calls)
        command = [os.path.join(os.path.dirname(sys.executable), "tccli"), service, action]
        command += ["--version", version, "--endpoint", self.place.endpoint, "--timeout", str(PATIENCE)]
        for name, value in parameters.items():
            command += ["--" + name, value if isinstance(value, str) else json.dumps(value)]
        environment = {
            "HOME": self.home,
            "PATH": os.environ["PATH"],
            "PYTHONIOENCODING": "utf-8",
            "TENCENTCLOUD_SECRET_ID": self.place.secret_id,
            "TENCENTCLOUD_SECRET_KEY": self.place.secret_key,
            "TENCENTCLOUD_REGION": self.place.region,
        }
        if self.place.token:
            environment["TENCENTCLOUD_TOKEN"] = self.place.token
        done = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", timeout=PATIENCE)
        if done.returncode == 0:
            return json.loads(done.stdout)
        said = done.stdout + done.stderr
        refusal = re.search(r"code:(\S+) message:(.*) requestId:(\S+)", said, re.DOTALL)
        if not refusal:
            raise RuntimeError(f"{' '.join(command[1:])} ended with status {done.returncode}: {said}")
        raise Refused(*refusal.groups())

    def with_keys(self, *keys):
        return Tccli(self.place.with_keys(*keys), self.home)

    def close(self):
        pass


class NodeSdk:
    """tencentcloud-sdk-nodejs, in a process that takes calls as lines of JSON."""

    name = "node"
    slow = False

    def __init__(self, place, modules):
        self.place, self.modules = place, modules
        self.lock = threading.Lock()
        self.calls = itertools.count()
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "node_calls.js")
        given = {"NODE_PATH": modules, "PATIENCE": str(PATIENCE), "PLACE": json.dumps(vars(place))}
        self.process = subprocess.Popen(
            ["node", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            env={**os.environ, **given},
        )

    def call(self, service, version, action, parameters):
        next(self.calls)
        asked = {"service": service, "version": version, "action": action, "parameters": parameters}
        with self.lock:
            self.process.stdin.write(json.dumps(asked) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the Node process has ended")
        told = json.loads(line)
        if "failure" in told:
            raise RuntimeError(told["failure"])
        if "code" in told:
            raise Refused(told["code"], told["message"], told["request_id"])
        return told["answer"]

    def with_keys(self, *keys):
        return NodeSdk(self.place.with_keys(*keys), self.modules)

    def close(self):
        self.process.stdin.close()
        self.process.wait(PATIENCE)
