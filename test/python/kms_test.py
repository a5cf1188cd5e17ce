"""The built server through boto3: every operation with success, and its errors. python_test.go runs it."""

import datetime
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import unittest

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

REGION, ACCOUNT = "us-east-1", "000000000000"
NOBODY = "11111111-2222-4333-8444-555555555555"
DENIED = ("User: arn:aws:iam::111122223333:root is not authorized to perform: {0} on resource: {1} "
          "because no resource-based policy allows the {0} action")


def arn(key):
    return f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{key}"


class Server:
    """A running server of the program that TRENT_TEST_BINARY names."""

    def __init__(self, data):
        environment = {n: v for n, v in os.environ.items() if not n.startswith(("AWS_", "TRENT_"))}
        environment["GORACE"] = "halt_on_error=1 exitcode=66 atexit_sleep_ms=0"
        self.process = subprocess.Popen(
            [os.environ["TRENT_TEST_BINARY"], "server", "--listen", "127.0.0.1:0", "--dev", "--data-dir", data],
            stderr=subprocess.PIPE, text=True, env=environment)
        self.log = []
        for line in self.process.stderr:
            self.log.append(line)
            if ready := re.match(r"trent: ready on (\S+)", line):
                self.url = ready[1]
                break
        else:
            raise RuntimeError("the server ended before it was ready: " + "".join(self.log))
        self.rest = threading.Thread(target=lambda: self.log.extend(self.process.stderr))
        self.rest.start()

    def end(self, how):
        self.process.send_signal(how)
        status = self.process.wait(timeout=60)
        self.rest.join()
        self.process.stderr.close()
        log = "".join(self.log)
        if status != (0 if how == signal.SIGTERM else -how) or re.search(r'DATA RACE|panic:|"level":"ERROR"', log):
            raise RuntimeError(f"the server ended with status {status}: {log}")


class KMS(unittest.TestCase):
    succeeded, failed = set(), set()

    @classmethod
    def setUpClass(cls):
        cls.data = tempfile.mkdtemp(prefix="trent-python-")
        cls.server = Server(cls.data)
        cls.client = cls.connect()

    @classmethod
    def tearDownClass(cls):
        cls.server.end(signal.SIGTERM)
        shutil.rmtree(cls.data)
        missing = set(os.environ["TRENT_TEST_BUILT"].split()) - cls.succeeded
        if missing or len(cls.succeeded) < 24:
            raise AssertionError(f"never called with success: {missing}")
        if len(cls.failed) < 19:
            raise AssertionError(f"only {len(cls.failed)} error codes: {cls.failed}")

    @classmethod
    def connect(cls, access_key="test", secret="test", service="kms"):
        client = boto3.client(
            service, endpoint_url=cls.server.url, region_name=REGION, aws_access_key_id=access_key,
            aws_secret_access_key=secret, config=Config(retries={"total_max_attempts": 1}))
        client.meta.events.register("after-call." + service, cls.note)
        return client

    @classmethod
    def note(cls, model, parsed, **_):
        if "Error" in parsed:
            cls.failed.add(parsed["Error"]["Code"])
        else:
            cls.succeeded.add(model.name)

    def crash(self):
        """Kills the server and starts it again."""
        cls = type(self)
        cls.server.end(signal.SIGKILL)
        cls.server = Server(cls.data)
        cls.client = cls.connect()

    def key(self, **parameters):
        return self.client.create_key(**parameters)["KeyMetadata"]["KeyId"]

    def refused(self, code, message, call, **parameters):
        """Asserts that a call fails with a code and, unless it is None, exactly this text."""
        with self.assertRaises(ClientError) as caught:
            call(**parameters)
        error = caught.exception.response["Error"]
        self.assertEqual(error["Code"], code, error)
        if message is not None:
            self.assertEqual(error["Message"], message)
        modeled = getattr(self.client.exceptions, code, None) if code in self.client.meta.service_model.shape_names else None
        if modeled:
            self.assertIsInstance(caught.exception, modeled)

    def test_keys(self):
        made = self.client.create_key(Description="python", Tags=[{"TagKey": "made", "TagValue": "here"}])["KeyMetadata"]
        key = made["KeyId"]
        self.assertEqual((made["Arn"], made["KeyState"], made["Enabled"], made["KeySpec"]), (arn(key), "Enabled", True, "SYMMETRIC_DEFAULT"))
        self.assertLess(abs(datetime.datetime.now(datetime.timezone.utc) - made["CreationDate"]), datetime.timedelta(minutes=1))
        self.client.update_key_description(KeyId=key, Description="")
        self.client.disable_key(KeyId=arn(key))
        self.crash()
        off = self.client.describe_key(KeyId=key)["KeyMetadata"]
        self.assertEqual((off["KeyState"], off["Description"], off["CreationDate"]), ("Disabled", "", made["CreationDate"]))
        self.refused("DisabledException", f"{arn(key)} is disabled.", self.client.generate_data_key, KeyId=key, KeySpec="AES_256")
        self.client.enable_key(KeyId=key)
        pages = self.client.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 1})
        self.assertIn({"KeyId": key, "KeyArn": arn(key)}, [k for page in pages for k in page["Keys"]])
        self.refused("InvalidMarkerException", None, self.client.list_keys, Marker="mine")
        self.refused("NotFoundException", f"Key '{arn(NOBODY)}' does not exist", self.client.enable_key, KeyId=NOBODY)
        self.refused("InvalidArnException", None, self.client.describe_key, KeyId="arn:aws:kms")
        self.refused("ValidationException", "KeyUsage SIGN_VERIFY is not compatible with KeySpec SYMMETRIC_DEFAULT",
                     self.client.create_key, KeyUsage="SIGN_VERIFY")
        self.refused("UnsupportedOperationException", None, self.client.sign, KeyId=key, Message=b"m", SigningAlgorithm="ECDSA_SHA_256")

    def test_encryption(self):
        key, other = self.key(), self.key()
        context = {"tenant": "blue", "naïve ☂": "\x00\"\n", "": ""}
        plaintext = bytes(range(256)) * 16
        sealed = self.client.encrypt(KeyId=key, Plaintext=plaintext, EncryptionContext=context)
        self.assertEqual((sealed["KeyId"], sealed["EncryptionAlgorithm"]), (arn(key), "SYMMETRIC_DEFAULT"))
        self.crash()
        blob = sealed["CiphertextBlob"]
        self.assertEqual(self.client.decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"], plaintext)
        moved = self.client.re_encrypt(CiphertextBlob=blob, SourceEncryptionContext=context, DestinationKeyId=other)
        self.assertEqual((moved["SourceKeyId"], moved["KeyId"]), (arn(key), arn(other)))
        self.assertEqual(self.client.decrypt(KeyId=other, CiphertextBlob=moved["CiphertextBlob"])["Plaintext"], plaintext)
        for at in (0, 1, len(blob) // 2, len(blob) - 1):
            wrong = bytearray(blob)
            wrong[at] ^= 1
            self.refused("InvalidCiphertextException", None, self.client.decrypt, KeyId=key, CiphertextBlob=bytes(wrong), EncryptionContext=context)
        self.refused("InvalidCiphertextException", None, self.client.decrypt, CiphertextBlob=blob)
        self.refused("IncorrectKeyException", "The key ID in the request does not identify a CMK that can perform this operation.",
                     self.client.decrypt, KeyId=other, CiphertextBlob=blob, EncryptionContext=context)
        self.refused("InvalidKeyUsageException", "Algorithm RSAES_OAEP_SHA_1 is incompatible with key spec SYMMETRIC_DEFAULT.",
                     self.client.encrypt, KeyId=key, Plaintext=b"x", EncryptionAlgorithm="RSAES_OAEP_SHA_1")
        self.refused("InvalidGrantTokenException", None, self.client.encrypt, KeyId=key, Plaintext=b"x", GrantTokens=["token"])
        self.refused("ValidationException", "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: "
                     "Member must have length less than or equal to 4096", self.client.encrypt, KeyId=key, Plaintext=bytes(4097))

    def test_data_keys(self):
        key = self.key()
        for size, want in (({"KeySpec": "AES_128"}, 16), ({"KeySpec": "AES_256"}, 32), ({"NumberOfBytes": 1024}, 1024)):
            made = self.client.generate_data_key(KeyId=key, **size)
            self.assertEqual(len(made["Plaintext"]), want)
            self.assertEqual(self.client.decrypt(CiphertextBlob=made["CiphertextBlob"])["Plaintext"], made["Plaintext"])
        made = self.client.generate_data_key_without_plaintext(KeyId=key, NumberOfBytes=5)
        self.assertNotIn("Plaintext", made)
        self.assertEqual(len(self.client.decrypt(CiphertextBlob=made["CiphertextBlob"])["Plaintext"]), 5)
        self.assertEqual(len(self.client.generate_random(NumberOfBytes=64)["Plaintext"]), 64)
        self.refused("ValidationException", "Please specify either number of bytes or key spec.", self.client.generate_data_key, KeyId=key)
        self.refused("ValidationException", "NumberOfBytes is required.", self.client.generate_random)
        self.refused("CustomKeyStoreNotFoundException", None, self.client.generate_random, NumberOfBytes=1, CustomKeyStoreId="cks-1234567890abcdef0")

    def test_aliases(self):
        key, other = self.key(), self.key()
        self.client.create_alias(AliasName="alias/python", TargetKeyId=key)
        self.client.update_alias(AliasName="alias/python", TargetKeyId=other)
        self.crash()
        listed = self.client.list_aliases(KeyId=other)["Aliases"]
        self.assertEqual([(a["AliasName"], a["TargetKeyId"]) for a in listed], [("alias/python", other)])
        self.assertEqual(self.client.describe_key(KeyId=listed[0]["AliasArn"])["KeyMetadata"]["KeyId"], other)
        name = f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/python"
        self.refused("AlreadyExistsException", f"An alias with the name {name} already exists", self.client.create_alias, AliasName="alias/python", TargetKeyId=key)
        self.client.delete_alias(AliasName="alias/python")
        self.refused("NotFoundException", f"Alias {name} is not found.", self.client.delete_alias, AliasName="alias/python")
        self.refused("NotAuthorizedException", None, self.client.create_alias, AliasName="alias/aws/python", TargetKeyId=key)
        self.refused("InvalidAliasNameException", None, self.client.create_alias, AliasName="alias/", TargetKeyId=key)

    def test_tags(self):
        key = self.key()
        self.client.tag_resource(KeyId=key, Tags=[{"TagKey": "a", "TagValue": "1"}, {"TagKey": "b", "TagValue": ""}])
        self.client.untag_resource(KeyId=key, TagKeys=["a"])
        self.crash()
        self.assertEqual(self.client.list_resource_tags(KeyId=key)["Tags"], [{"TagKey": "b", "TagValue": ""}])
        self.refused("TagException", "Duplicate tag keys", self.client.tag_resource, KeyId=key, Tags=[{"TagKey": "a", "TagValue": "1"}] * 2)

    def test_policies(self):
        key = self.key()
        policy = json.dumps({"Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "*", "Resource": "*"}]})
        self.client.put_key_policy(KeyId=key, PolicyName="default", Policy=policy)
        self.crash()
        self.assertEqual(self.client.get_key_policy(KeyId=key, PolicyName="default")["Policy"], policy)
        self.assertEqual(self.client.list_key_policies(KeyId=key)["PolicyNames"], ["default"])
        self.refused("MalformedPolicyDocumentException", None, self.client.put_key_policy, KeyId=key, PolicyName="default", Policy="{")
        self.refused("LimitExceededException", None, self.client.put_key_policy, KeyId=key, PolicyName="default", Policy=" " * 32769)

    def test_deletion(self):
        key = self.key()
        self.refused("KMSInvalidStateException", f"{arn(key)} is not pending deletion.", self.client.cancel_key_deletion, KeyId=key)
        planned = self.client.schedule_key_deletion(KeyId=key, PendingWindowInDays=30)
        self.assertEqual((planned["KeyId"], planned["KeyState"], planned["PendingWindowInDays"]), (arn(key), "PendingDeletion", 30))
        self.crash()
        self.assertEqual(self.client.describe_key(KeyId=key)["KeyMetadata"]["DeletionDate"], planned["DeletionDate"])
        self.refused("KMSInvalidStateException", f"{arn(key)} is pending deletion.", self.client.encrypt, KeyId=key, Plaintext=b"x")
        self.assertEqual(self.client.cancel_key_deletion(KeyId=key)["KeyId"], arn(key))

    def test_other_accounts(self):
        key, stranger = self.key(), self.connect("111122223333")
        self.refused("AccessDeniedException", DENIED.format("kms:TagResource", arn(key)), stranger.tag_resource,
                     KeyId=arn(key), Tags=[{"TagKey": "a", "TagValue": "1"}])
        self.refused("NotFoundException", None, stranger.describe_key, KeyId=key)

    def test_signatures(self):
        who = self.connect("444455556666", service="sts").get_caller_identity()
        self.assertEqual((who["Arn"], who["Account"]), ("arn:aws:iam::444455556666:root", "444455556666"))
        self.refused("InvalidSignatureException", None, self.connect("test", "wrong").list_keys)
        self.refused("UnrecognizedClientException", "The security token included in the request is invalid.", self.connect("AKIAIOSFODNN7EXAMPLE").list_keys)
        self.refused("SignatureDoesNotMatch", None, self.connect("test", "wrong", "sts").get_caller_identity)


if __name__ == "__main__":
    unittest.main()
