"""The vendor's SDK against the sandbox.

Everything here is written against the SDK and the vendor's documentation, with Python's own and
cryptography's primitives: nothing is taken from the program under test. The sandbox's address and
one key pair come from the environment.
"""

import base64
import hashlib
import hmac
import http.server
import json
import os
import threading
import urllib.request

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from tencentcloud.common import credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.ess.v20201111 import ess_client, models

ADDRESS = os.environ["SANDBOX_ADDRESS"]
# One that has what enterprise.json describes.
ENTERPRISE = os.environ["ENTERPRISE_ADDRESS"]
SECRET_ID = os.environ["SANDBOX_SECRET_ID"]
SECRET_KEY = os.environ["SANDBOX_SECRET_KEY"]
OPERATOR = "yDw6yUUgyg3caowzUx4GQptRKfMnJqX8"
MEMBER = "yDtwEUUckp7f87yrUygaLZxYk2SEodS7"
KEY = "8DD3B29CE10D469D8978393074A767FD"
TOKEN = "5AF866900CA34D1A95382C48C678A085"
ADD, DELETE = 1, 2

checks = 0


def check(condition, what):
    global checks
    checks += 1
    if not condition:
        raise SystemExit(f"FAILED: {what}")


def client(secret_id=SECRET_ID, secret_key=SECRET_KEY, language="zh-CN", endpoint=ADDRESS, **profile):
    http_profile = HttpProfile(protocol="http", endpoint=endpoint, reqTimeout=30)
    settings = ClientProfile(httpProfile=http_profile, language=language)
    for name, value in profile.items():
        setattr(settings, name, value)
    return ess_client.EssClient(credential.Credential(secret_id, secret_key), "", settings)


def user(user_id=OPERATOR):
    info = models.UserInfo()
    info.UserId = user_id
    return info


def modify(kind, url, key=None, token=None, member=None, operator=OPERATOR, by=None):
    request = models.ModifyApplicationCallbackInfoRequest()
    request.Operator = user(operator)
    request.OperateType = kind
    request.CallbackInfo = models.CallbackInfo()
    request.CallbackInfo.CallbackUrl = url
    request.CallbackInfo.CallbackKey = key
    request.CallbackInfo.CallbackToken = token
    if member:
        request.Agent = models.Agent()
        request.Agent.ProxyOrganizationId = member
    return (by or client()).ModifyApplicationCallbackInfo(request)


def refused(code, message, action, *arguments, **named):
    """The call must fail with this code, and with this in its message."""
    try:
        action(*arguments, **named)
    except TencentCloudSDKException as error:
        check(error.get_code() == code, f"{error.get_code()} is not {code}: {error}")
        check(message in error.get_message(), f"{message!r} is not in {error.get_message()!r}")
        check(len(error.get_request_id() or "") == 36, f"no request id: {error}")
        return
    raise SystemExit(f"FAILED: {code} was expected, and it succeeded")


def sandbox(path, body=None):
    """The sandbox's own API."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"http://{ADDRESS}/_sandbox/{path}", data, headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return json.load(opener.open(request, timeout=30))


def changes():
    answer = modify(ADD, "https://hooks.example/a", KEY, TOKEN)
    check(len(answer.RequestId) == 36, "an add answers with a request id")
    modify(ADD, "https://hooks.example/a", "0" * 32, TOKEN)
    modify(ADD, "https://hooks.example/a", member=MEMBER)
    listed = sandbox("callbacks")
    check(len(listed) == 2, f"two callbacks: {listed}")
    check(
        listed[0]["key_sha256"] == hashlib.sha256(KEY.encode()).hexdigest(),
        "the second add left the first key as it was",
    )
    modify(DELETE, "https://hooks.example/a")
    refused("FailedOperation", "当前配置不存在", modify, DELETE, "https://hooks.example/a")
    modify(DELETE, "https://hooks.example/a", member=MEMBER)
    check(sandbox("callbacks") == [], "both are gone")


def refusals():
    url = "https://hooks.example/a"
    english = client(language="en-US")
    wrong_key = client(secret_key="wrong")
    refused("AuthFailure.SignatureFailure", "签名验证失败", modify, ADD, url, by=wrong_key)
    refused("AuthFailure.SecretIdNotFound", "密钥不存在", modify, ADD, url, by=client("AKIDnobody"))
    refused("InvalidParameter.ParamError", "操作人ID", modify, ADD, url, operator="short")
    refused("MissingParameter", "`Operator.UserId`", modify, ADD, url, operator=None, by=english)
    refused("InvalidParameterValue", "32 bytes", modify, ADD, url, key="x" * 33, by=english)
    refused("InvalidParameterValue", "OperateType", modify, 3, url, by=english)
    refused("MissingParameter", "CallbackInfo.CallbackUrl", modify, ADD, None, by=english)
    refused("UnknownParameter", "`Extra`", english.call_json, "ModifyApplicationCallbackInfo", {
        "Operator": {"UserId": OPERATOR}, "OperateType": 1, "Extra": 1,
        "CallbackInfo": {"CallbackUrl": url},
    })
    refused("InvalidAction", "DescribeNothing", english.call_json, "DescribeNothing", {})
    check(sandbox("callbacks") == [], "a refused call changes nothing")


def unsigned_payload():
    by = client(unsignedPayload=True)
    modify(ADD, "https://hooks.example/unsigned", by=by)
    modify(DELETE, "https://hooks.example/unsigned", by=by)


def reads():
    modify(ADD, "https://hooks.example/member", member=MEMBER)
    group = models.DescribeOrganizationGroupOrganizationsRequest()
    group.Operator, group.Limit, group.Offset = user(), 200, 0
    answer = client().DescribeOrganizationGroupOrganizations(group)
    check(answer.Total == 2, f"the main organization and one member: {answer.Total}")
    check(answer.List[0].IsMainOrganization is True, "the main organization comes first")
    check(answer.List[1].OrganizationId == MEMBER and answer.List[1].Status == 5, "the member")
    modify(DELETE, "https://hooks.example/member", member=MEMBER)

    employees = models.DescribeIntegrationEmployeesRequest()
    employees.Operator, employees.Limit = user(), 20
    employees.Filters = [models.Filter()]
    employees.Filters[0].Key, employees.Filters[0].Values = "UserId", [OPERATOR]
    answer = client().DescribeIntegrationEmployees(employees)
    check(answer.Employees[0].UserId == OPERATOR, "the operator exists")
    check(answer.Employees[0].Verified and answer.Employees[0].QuiteJob == 0, "and works here")

    status = models.DescribeOrganizationVerifyStatusRequest()
    status.Operator = user()
    check(client().DescribeOrganizationVerifyStatus(status).VerifyStatus == 2, "is verified")


def enterprise():
    """Members in each status, employees and roles, as the SDK's models have them."""
    by = client(endpoint=ENTERPRISE)
    left, new, reader = (f"yDw6yUUgyg3caowzUx4GQptRKfMnJ{end}" for end in ("0ff", "new", "0no"))
    joined = "yDjoined000000000000000000000005"

    def members(limit=200, offset=0, **filters):
        group = models.DescribeOrganizationGroupOrganizationsRequest()
        group.Operator, group.Limit, group.Offset = user(), limit, offset
        for name, value in filters.items():
            setattr(group, name, value)
        return by.DescribeOrganizationGroupOrganizations(group)

    answer = members()
    check([it.Status for it in answer.List] == [5, 1, 2, 3, 4, 5], "the main one and each status")
    check((answer.Total, answer.JoinedTotal, answer.ActivatedTotal) == (6, 1, 2), "the totals")
    check(answer.List[5].LicenseExpireTime == 1893456000, "the end of a licence")
    check([it.OrganizationId for it in members(2, 4).List][1] == joined, "a page")
    check([it.Status for it in members(Status=4).List] == [4], "a filter by status")
    check([it.OrganizationId for it in members(Id=joined).List] == [joined], "a filter by id")
    refused("InvalidParameterValue", "Limit", members, 201)
    refused("InvalidParameterValue", "Offset", members, 200, 20001)

    def employees(user_id, operator=OPERATOR, limit=20):
        request = models.DescribeIntegrationEmployeesRequest()
        request.Operator, request.Limit = user(operator), limit
        request.Filters = [models.Filter()]
        request.Filters[0].Key, request.Filters[0].Values = "UserId", [user_id]
        return by.DescribeIntegrationEmployees(request)

    check(employees(left).Employees[0].QuiteJob == 1, "one who has left")
    check(employees(new).Employees[0].Verified is False, "one who is not verified")
    check(employees("y" * 32).TotalCount == 0, "one who does not exist")
    check(employees(OPERATOR).Employees[0].Roles[0].RoleId == "group", "the roles of one")
    refused("InvalidParameterValue", "Limit", employees, left, limit=21)
    refused("InvalidParameter.InvalidOperatorId", "操作人", employees, left, operator="y" * 32)
    refused("OperationDenied.NoIdentityVerify", "实名", employees, left, operator=new)

    def roles(limit=200, offset=0):
        request = models.DescribeIntegrationRolesRequest()
        request.Operator, request.Limit, request.Offset = user(), limit, offset
        return by.DescribeIntegrationRoles(request)

    answer = roles()
    check(answer.TotalCount == 2, "two roles")
    check(answer.IntegrateRoles[0].SubOrgIdList == [joined], "the members that a role covers")
    check(roles(1, 1).IntegrateRoles[0].RoleName == "查看", "a page of roles")
    refused("InvalidParameterValue", "Offset", roles, 200, 2001)
    refused("UnknownParameter", "`Extra`", by.call_json, "DescribeIntegrationRoles", {
        "Operator": {"UserId": OPERATOR}, "Limit": 1, "Extra": 1,
    })

    status = models.DescribeOrganizationVerifyStatusRequest()
    status.Operator = user()
    check(by.DescribeOrganizationVerifyStatus(status).VerifyStatus == 1, "verification under way")

    url = "https://hooks.example/enterprise"
    modify(ADD, url, member=joined, by=by)
    modify(DELETE, url, member=joined, by=by)
    refused("FailedOperation", "当前配置不存在", modify, DELETE, url, member=joined, by=by)
    refused("FailedOperation", "离职", modify, ADD, url, operator=left, by=by)
    refused("FailedOperation", "实名", modify, ADD, url, operator=new, by=by)
    refused("FailedOperation", "权限", modify, ADD, url, operator=reader, by=by)
    refused("InvalidParameter.ParamError", "操作人", modify, ADD, url, operator="y" * 32, by=by)
    refused("FailedOperation", "未加入", modify, ADD, url, member="yDleft00000000000000000000000004", by=by)


def faults():
    sandbox("faults", {"script": "lost-after,502,internal-error,throttle"})
    url = "https://hooks.example/fault"
    try:
        modify(ADD, url)
        raise SystemExit("FAILED: the first call was to be lost")
    except TencentCloudSDKException as error:
        check(error.get_code() == "ClientNetworkError", f"a lost call: {error}")
    check(len(sandbox("callbacks")) == 1, "it was lost after it took effect")
    try:
        modify(ADD, url)
        raise SystemExit("FAILED: the second call was to be a 502")
    except TencentCloudSDKException as error:
        check(error.get_code() == "ServerNetworkError", f"a 502: {error}")
    refused("InternalError.System", "系统错误", modify, ADD, url)
    refused("RequestLimitExceeded", "20", modify, ADD, url)
    modify(DELETE, url)
    sandbox("clock", {"skew": 301})
    refused("AuthFailure.SignatureExpire", "五分钟", modify, ADD, url)
    sandbox("clock", {"skew": 0})


class Receiver(http.server.BaseHTTPRequestHandler):
    received = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        Receiver.received.append((self.path, dict(self.headers.items()), body))
        self.send_response(200 if self.path != "/broken" else 500)
        self.end_headers()

    def log_message(self, *_):
        pass


def opened(body, key):
    """The message in an envelope, by the vendor's description of it."""
    sealed = base64.b64decode(json.loads(body)["encrypt"], validate=True)
    cipher = Cipher(algorithms.AES(key.encode()), modes.CBC(key.encode()[:16])).decryptor()
    padded = cipher.update(sealed) + cipher.finalize()
    unpadder = padding.PKCS7(128).unpadder()
    return unpadder.update(padded) + unpadder.finalize()


def callbacks():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"
    modify(ADD, f"{base}/both", KEY, TOKEN)
    modify(ADD, f"{base}/clear")
    modify(ADD, f"{base}/broken", None, TOKEN)
    report = sandbox("emit", {})
    statuses = {it["url"].rsplit("/")[-1]: it["status"] for it in report["deliveries"]}
    check(statuses == {"both": 200, "clear": 200, "broken": 500}, f"statuses: {statuses}")
    message = report["message"]
    check(json.loads(message)["MsgType"] == "FlowStatusChange", "a sample message")
    got = {path: (headers, body) for path, headers, body in Receiver.received}
    for path, (headers, body) in got.items():
        headers = {name.lower(): value for name, value in headers.items()}
        check(headers["content-type"] == "application/json", f"{path}: content type")
        signature = headers.get("content-signature")
        expected = "sha256=" + hmac.new(TOKEN.encode(), body, hashlib.sha256).hexdigest()
        check(signature == (None if path == "/clear" else expected), f"{path}: signature")
    check(opened(got["/both"][1], KEY).decode() == message, "the encrypted message is the same")
    check(got["/clear"][1].decode() == message, "without a key the message goes in clear")
    server.shutdown()


for part in (changes, refusals, unsigned_payload, reads, enterprise, faults, callbacks):
    part()
    print(f"{part.__name__}: ok")
print(f"{checks} checks passed")
