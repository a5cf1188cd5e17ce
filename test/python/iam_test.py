"""The built server through boto3: users, roles, sessions and organizations as scripts use them. python_test.go runs it."""

import json
import shutil
import signal
import tempfile
import unittest

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from kms_test import ACCOUNT, REGION, Server


def policy(effect="Allow", action="*", resource="*", **more):
    return json.dumps({"Version": "2012-10-17", "Statement": {"Effect": effect, "Action": action, **({"Resource": resource} if resource else {}), **more}})


TRUST = policy(action=["sts:AssumeRole", "sts:TagSession"], resource=None, Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"})


class IAM(unittest.TestCase):
    succeeded = set()

    @classmethod
    def setUpClass(cls):
        cls.data = tempfile.mkdtemp(prefix="trent-python-")
        cls.server = Server(cls.data)
        cls.iam, cls.sts = cls.connect("iam"), cls.connect("sts")

    @classmethod
    def tearDownClass(cls):
        cls.server.end(signal.SIGTERM)
        shutil.rmtree(cls.data)
        if len(cls.succeeded) < 60:
            raise AssertionError(f"only {len(cls.succeeded)} operations: {sorted(cls.succeeded)}")

    @classmethod
    def connect(cls, service, access_key="test", secret="test", token=None):
        client = boto3.client(
            service, endpoint_url=cls.server.url, region_name=REGION, aws_access_key_id=access_key, aws_secret_access_key=secret,
            aws_session_token=token, config=Config(retries={"total_max_attempts": 1}))
        client.meta.events.register("after-call." + service, cls.note)
        return client

    @classmethod
    def note(cls, model, parsed, **_):
        if "Error" not in parsed:
            cls.succeeded.add((model.service_model.service_name, model.name))

    def denied(self, code, call, **parameters):
        with self.assertRaises(ClientError) as raised:
            call(**parameters)
        self.assertEqual(raised.exception.response["Error"]["Code"], code, raised.exception)
        return raised.exception.response["Error"]["Message"]

    def user(self, name, **more):
        made = self.iam.create_user(UserName=name, **more)["User"]
        key = self.iam.create_access_key(UserName=name)["AccessKey"]
        return made, key["AccessKeyId"], key["SecretAccessKey"]

    def test_users_are_made_found_and_deleted(self):
        made, key, secret = self.user("ann", Path="/people/", Tags=[{"Key": "team", "Value": "blue"}])
        self.assertEqual(made["Arn"], f"arn:aws:iam::{ACCOUNT}:user/people/ann")
        self.assertRegex(made["UserId"], "^AIDA[A-Z2-7]{17}$")
        self.iam.get_waiter("user_exists").wait(UserName="ann", WaiterConfig={"Delay": 1, "MaxAttempts": 5})
        self.assertEqual(self.connect("sts", key, secret).get_caller_identity()["Arn"], made["Arn"])
        self.iam.tag_user(UserName="ann", Tags=[{"Key": "level", "Value": "1"}])
        self.iam.untag_user(UserName="ann", TagKeys=["team"])
        self.assertEqual(self.iam.list_user_tags(UserName="ann")["Tags"], [{"Key": "level", "Value": "1"}])
        self.iam.update_user(UserName="ann", NewUserName="anna")
        self.assertEqual(self.iam.get_access_key_last_used(AccessKeyId=key)["UserName"], "anna")
        self.denied("DeleteConflict", self.iam.delete_user, UserName="anna")
        self.iam.update_access_key(UserName="anna", AccessKeyId=key, Status="Inactive")
        self.denied("InvalidClientTokenId", self.connect("sts", key, secret).get_caller_identity)
        self.assertEqual(self.iam.list_access_keys(UserName="anna")["AccessKeyMetadata"][0]["Status"], "Inactive")
        self.iam.delete_access_key(UserName="anna", AccessKeyId=key)
        self.iam.delete_user(UserName="anna")
        self.denied("NoSuchEntity", self.iam.get_user, UserName="anna")
        with self.assertRaises(self.iam.exceptions.NoSuchEntityException):
            self.iam.get_user(UserName="anna")

    def test_roles_are_made_assumed_and_deleted(self):
        role = self.iam.create_role(RoleName="worker", AssumeRolePolicyDocument=TRUST, Description="works", Tags=[{"Key": "a", "Value": "b"}])["Role"]
        self.assertEqual(role["AssumeRolePolicyDocument"], json.loads(TRUST))
        self.iam.get_waiter("role_exists").wait(RoleName="worker", WaiterConfig={"Delay": 1, "MaxAttempts": 5})
        self.iam.put_role_policy(RoleName="worker", PolicyName="keys", PolicyDocument=policy(action="kms:ListKeys"))
        self.assertEqual(self.iam.get_role_policy(RoleName="worker", PolicyName="keys")["PolicyDocument"]["Statement"]["Action"], "kms:ListKeys")
        self.assertEqual(self.iam.list_role_policies(RoleName="worker")["PolicyNames"], ["keys"])
        _, key, secret = self.user("wendy")
        self.iam.put_user_policy(UserName="wendy", PolicyName="assumes", PolicyDocument=policy(action="sts:*"))
        sts = self.connect("sts", key, secret)
        session = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="python", Tags=[{"Key": "tenant", "Value": "blue"}])
        self.assertEqual(session["AssumedRoleUser"]["Arn"], f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/python")
        c = session["Credentials"]
        kms = self.connect("kms", c["AccessKeyId"], c["SecretAccessKey"], c["SessionToken"])
        kms.list_keys()
        self.assertIn("assumed-role/worker/python is not authorized to perform: kms:CreateKey on resource: * because no identity-based policy",
                      self.denied("AccessDeniedException", kms.create_key))
        self.assertEqual(sts.get_session_token(DurationSeconds=900)["Credentials"]["AccessKeyId"][:4], "ASIA")
        self.assertIn("federated-user/guest", sts.get_federation_token(Name="guest", Policy=policy())["FederatedUser"]["Arn"])
        self.assertEqual(sts.get_access_key_info(AccessKeyId=key)["Account"], ACCOUNT)
        self.iam.update_role(RoleName="worker", MaxSessionDuration=7200)
        self.iam.update_assume_role_policy(RoleName="worker", PolicyDocument=TRUST)
        self.assertEqual(self.iam.get_role(RoleName="worker")["Role"]["MaxSessionDuration"], 7200)
        self.assertEqual(self.iam.list_role_tags(RoleName="worker")["Tags"], [{"Key": "a", "Value": "b"}])
        self.iam.tag_role(RoleName="worker", Tags=[{"Key": "c", "Value": "d"}])
        self.iam.untag_role(RoleName="worker", TagKeys=["a"])
        self.assertEqual(self.iam.list_instance_profiles_for_role(RoleName="worker")["InstanceProfiles"], [])
        self.iam.delete_role_policy(RoleName="worker", PolicyName="keys")
        self.iam.delete_role(RoleName="worker")
        self.denied("AccessDenied", sts.assume_role, RoleArn=role["Arn"], RoleSessionName="python")

    def test_policies_have_versions(self):
        arn = self.iam.create_policy(PolicyName="uses", PolicyDocument=policy(action="kms:Encrypt"))["Policy"]["Arn"]
        self.iam.get_waiter("policy_exists").wait(PolicyArn=arn, WaiterConfig={"Delay": 1, "MaxAttempts": 5})
        version = self.iam.create_policy_version(PolicyArn=arn, PolicyDocument=policy(action="kms:Decrypt"), SetAsDefault=True)["PolicyVersion"]
        self.assertTrue(version["IsDefaultVersion"])
        self.assertEqual(self.iam.get_policy_version(PolicyArn=arn, VersionId="v2")["PolicyVersion"]["Document"]["Statement"]["Action"], "kms:Decrypt")
        self.iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
        self.assertEqual(self.iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"], "v1")
        self.iam.delete_policy_version(PolicyArn=arn, VersionId="v2")
        self.assertEqual(len(self.iam.list_policy_versions(PolicyArn=arn)["Versions"]), 1)
        self.iam.tag_policy(PolicyArn=arn, Tags=[{"Key": "a", "Value": "b"}])
        self.assertEqual(len(self.iam.list_policy_tags(PolicyArn=arn)["Tags"]), 1)
        self.iam.create_role(RoleName="holder", AssumeRolePolicyDocument=TRUST, PermissionsBoundary=arn)
        self.iam.attach_role_policy(RoleName="holder", PolicyArn=arn)
        self.assertEqual(self.iam.list_attached_role_policies(RoleName="holder")["AttachedPolicies"], [{"PolicyName": "uses", "PolicyArn": arn}])
        self.assertEqual(self.iam.list_entities_for_policy(PolicyArn=arn, PolicyUsageFilter="PermissionsPolicy")["PolicyRoles"][0]["RoleName"], "holder")
        self.denied("DeleteConflict", self.iam.delete_policy, PolicyArn=arn)
        self.iam.detach_role_policy(RoleName="holder", PolicyArn=arn)
        self.iam.delete_role_permissions_boundary(RoleName="holder")
        self.iam.delete_role(RoleName="holder")
        self.iam.delete_policy(PolicyArn=arn)
        self.denied("MalformedPolicyDocument", self.iam.create_policy, PolicyName="bad", PolicyDocument="{}")

    def test_groups_give_their_members_permissions(self):
        _, key, secret = self.user("gina")
        self.iam.create_group(GroupName="readers")
        self.iam.add_user_to_group(GroupName="readers", UserName="gina")
        member = self.connect("iam", key, secret)
        self.denied("AccessDenied", member.list_groups)
        self.iam.put_group_policy(GroupName="readers", PolicyName="reads", PolicyDocument=policy(action="iam:List*"))
        self.assertEqual([g["GroupName"] for g in member.list_groups()["Groups"]], ["readers"])
        self.assertEqual(self.iam.get_group(GroupName="readers")["Users"][0]["UserName"], "gina")
        self.iam.attach_group_policy(GroupName="readers", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
        member.get_account_summary()
        self.iam.detach_group_policy(GroupName="readers", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
        self.iam.remove_user_from_group(GroupName="readers", UserName="gina")
        self.denied("AccessDenied", member.list_groups)
        self.iam.delete_group_policy(GroupName="readers", PolicyName="reads")
        self.iam.delete_group(GroupName="readers")

    def test_lists_come_in_pages(self):
        for n in range(5):
            self.iam.create_user(UserName=f"page-{n}", Path="/pages/")
            self.iam.create_role(RoleName=f"page-{n}", Path="/pages/", AssumeRolePolicyDocument=TRUST)
            self.iam.create_policy(PolicyName=f"page-{n}", Path="/pages/", PolicyDocument=policy())
        for operation, member in (("list_users", "Users"), ("list_roles", "Roles"), ("list_policies", "Policies")):
            pages = list(self.iam.get_paginator(operation).paginate(PathPrefix="/pages/", PaginationConfig={"PageSize": 2}))
            self.assertEqual([len(p[member]) for p in pages], [2, 2, 1], operation)
        details = self.iam.get_paginator("get_account_authorization_details").paginate(Filter=["Role"]).build_full_result()
        self.assertGreaterEqual(len(details["RoleDetailList"]), 5)

    def test_simulation_answers_as_the_service_would(self):
        made, _, _ = self.user("sim")
        self.iam.put_user_policy(UserName="sim", PolicyName="keys", PolicyDocument=policy(action="kms:Decrypt", Condition={"StringEquals": {"kms:EncryptionContext:tenant": "blue"}}))
        for tenant, want in (("blue", "allowed"), ("red", "implicitDeny")):
            out = self.iam.simulate_principal_policy(PolicySourceArn=made["Arn"], ActionNames=["kms:Decrypt"], ContextEntries=[
                {"ContextKeyName": "kms:EncryptionContext:tenant", "ContextKeyType": "string", "ContextKeyValues": [tenant]}])
            self.assertEqual(out["EvaluationResults"][0]["EvalDecision"], want)
        out = self.iam.simulate_custom_policy(PolicyInputList=[policy(effect="Deny")], ActionNames=["kms:Decrypt"])
        self.assertEqual(out["EvaluationResults"][0]["EvalDecision"], "explicitDeny")

    def test_organizations_bind_their_accounts(self):
        boss = self.connect("organizations", "999988887777")
        boss.create_organization(FeatureSet="ALL")
        root = boss.list_roots()["Roots"][0]["Id"]
        boss.enable_policy_type(RootId=root, PolicyType="SERVICE_CONTROL_POLICY")
        made = boss.create_account(AccountName="shop", Email="shop@example.com")["CreateAccountStatus"]
        account = boss.describe_create_account_status(CreateAccountRequestId=made["Id"])["CreateAccountStatus"]["AccountId"]
        unit = boss.create_organizational_unit(ParentId=root, Name="teams")["OrganizationalUnit"]["Id"]
        boss.move_account(AccountId=account, SourceParentId=root, DestinationParentId=unit)
        rule = boss.create_policy(Name="no", Description="", Type="SERVICE_CONTROL_POLICY", Content=policy(effect="Deny", action="kms:CreateKey"))["Policy"]["PolicySummary"]
        boss.attach_policy(PolicyId=rule["Id"], TargetId=unit)
        kms = self.connect("kms", account)
        self.assertIn(f"with an explicit deny in a service control policy: {rule['Arn']}", self.denied("AccessDeniedException", kms.create_key))
        self.assertEqual(sum(len(p["Accounts"]) for p in boss.get_paginator("list_accounts").paginate(PaginationConfig={"PageSize": 1})), 2)
        boss.detach_policy(PolicyId=rule["Id"], TargetId=unit)
        kms.create_key()
        boss.delete_policy(PolicyId=rule["Id"])
        boss.remove_account_from_organization(AccountId=account)
        boss.delete_organizational_unit(OrganizationalUnitId=unit)
        boss.delete_organization()


if __name__ == "__main__":
    unittest.main()
