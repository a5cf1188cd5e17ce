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
import time
import unittest

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, hmac, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

REGION, ACCOUNT = "us-east-1", "000000000000"
NOBODY = "11111111-2222-4333-8444-555555555555"
# NEWER are the operations that a boto3 of Debian may not know yet. Where it does, they are called like the others.
NEWER = {"Decapsulate", "DeriveSharedSecret", "Encapsulate", "GetKeyLastUsage", "ListKeyRotations", "RotateKeyOnDemand"}
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
        built, known = set(os.environ["TRENT_TEST_BUILT"].split()), set(cls.client.meta.service_model.operation_names)
        if built - known - NEWER:
            raise AssertionError(f"boto3 does not know {built - known - NEWER}, and nobody has said so")
        if missing := built & known - cls.succeeded or len(cls.succeeded) < 44:
            raise AssertionError(f"never called with success: {missing}")
        if len(cls.failed) < 25:
            raise AssertionError(f"only {len(cls.failed)} error codes: {cls.failed}")

    @classmethod
    def connect(cls, access_key="test", secret="test", service="kms", region=REGION):
        client = boto3.client(
            service, endpoint_url=cls.server.url, region_name=region, aws_access_key_id=access_key,
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

    def knows(self, operation):
        """Says whether this boto3 has an operation, which is one that it may lack."""
        self.assertIn(operation, NEWER)
        return operation in self.client.meta.service_model.operation_names

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
        self.refused("UnsupportedOperationException", "CreateCustomKeyStore is not built in this version of Trent; docs/compatibility.md lists what is.",
                     self.client.create_custom_key_store, CustomKeyStoreName="store")

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

    def public(self, key):
        return serialization.load_der_public_key(self.client.get_public_key(KeyId=key)["PublicKey"])

    def test_signatures_of_key_pairs(self):
        message = b"the message that is signed"
        sha256, sha384, sha512 = hashes.SHA256(), hashes.SHA384(), hashes.SHA512()
        pss = padding.PSS(mgf=padding.MGF1(sha384), salt_length=48)
        made = []
        for spec, algorithm, how in (
                ("RSA_2048", "RSASSA_PSS_SHA_384", (pss, sha384)), ("RSA_2048", "RSASSA_PKCS1_V1_5_SHA_256", (padding.PKCS1v15(), sha256)),
                ("ECC_NIST_P256", "ECDSA_SHA_256", (ec.ECDSA(sha256),)), ("ECC_NIST_P384", "ECDSA_SHA_384", (ec.ECDSA(sha384),)),
                ("ECC_NIST_P521", "ECDSA_SHA_512", (ec.ECDSA(sha512),)), ("ECC_SECG_P256K1", "ECDSA_SHA_256", (ec.ECDSA(sha256),)),
                ("ECC_NIST_EDWARDS25519", "ED25519_SHA_512", ())):
            key = self.key(KeySpec=spec, KeyUsage="SIGN_VERIFY")
            signed = self.client.sign(KeyId=key, SigningAlgorithm=algorithm, Message=message)
            self.assertEqual((signed["KeyId"], signed["SigningAlgorithm"]), (arn(key), algorithm))
            self.public(key).verify(signed["Signature"], message, *how)  # raises when it is not valid
            with self.assertRaises(InvalidSignature):
                self.public(key).verify(signed["Signature"], b"another", *how)
            made.append({"KeyId": key, "SigningAlgorithm": algorithm, "Message": message, "Signature": signed["Signature"]})
        self.crash()
        for request in made:
            self.assertIs(self.client.verify(**request)["SignatureValid"], True)
            self.refused("KMSInvalidSignatureException", "", self.client.verify, **{**request, "Message": b"another"})
        pair, symmetric = made[2]["KeyId"], self.key()
        self.refused("ValidationException", "Digest is invalid length for algorithm ECDSA_SHA_256.",
                     self.client.sign, KeyId=pair, SigningAlgorithm="ECDSA_SHA_256", Message=message, MessageType="DIGEST")
        self.refused("InvalidKeyUsageException", "Algorithm ECDSA_SHA_384 is incompatible with key spec ECC_NIST_P256.",
                     self.client.sign, KeyId=pair, SigningAlgorithm="ECDSA_SHA_384", Message=message)
        self.refused("InvalidKeyUsageException", f"{arn(symmetric)} key usage is ENCRYPT_DECRYPT which is not valid for Sign.",
                     self.client.sign, KeyId=symmetric, SigningAlgorithm="ECDSA_SHA_256", Message=message)
        self.refused("UnsupportedOperationException", None, self.client.get_public_key, KeyId=symmetric)
        self.client.disable_key(KeyId=pair)
        self.refused("DisabledException", f"{arn(pair)} is disabled.", self.client.verify, **made[2])

    def test_rsa_encryption(self):
        key, plaintext = self.key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT"), bytes(190)
        public = self.public(key)
        self.crash()
        for algorithm, of in (("RSAES_OAEP_SHA_1", hashes.SHA1()), ("RSAES_OAEP_SHA_256", hashes.SHA256())):
            outside = public.encrypt(plaintext, padding.OAEP(mgf=padding.MGF1(of), algorithm=of, label=None))
            inside = self.client.encrypt(KeyId=key, EncryptionAlgorithm=algorithm, Plaintext=plaintext)["CiphertextBlob"]
            for blob in (outside, inside):
                self.assertEqual(self.client.decrypt(KeyId=key, EncryptionAlgorithm=algorithm, CiphertextBlob=blob)["Plaintext"], plaintext)
        self.refused("ValidationException", "Algorithm RSAES_OAEP_SHA_256 and key spec RSA_2048 cannot encrypt data larger than 190 bytes.",
                     self.client.encrypt, KeyId=key, EncryptionAlgorithm="RSAES_OAEP_SHA_256", Plaintext=bytes(191))
        self.refused("InvalidCiphertextException", "", self.client.decrypt, KeyId=key, EncryptionAlgorithm="RSAES_OAEP_SHA_256", CiphertextBlob=bytes(256))

    def test_macs(self):
        key, message = self.key(KeySpec="HMAC_224", KeyUsage="GENERATE_VERIFY_MAC"), b"the message that is authenticated"
        mac = self.client.generate_mac(KeyId=key, MacAlgorithm="HMAC_SHA_224", Message=message)["Mac"]
        self.assertEqual(len(mac), 28)
        self.crash()
        request = {"KeyId": key, "MacAlgorithm": "HMAC_SHA_224", "Message": message}
        self.assertIs(self.client.verify_mac(**request, Mac=mac)["MacValid"], True)
        self.refused("KMSInvalidMacException", "", self.client.verify_mac, **request, Mac=mac[1:])
        self.refused("InvalidKeyUsageException", "Algorithm HMAC_SHA_256 is incompatible with key spec HMAC_224.",
                     self.client.generate_mac, KeyId=key, MacAlgorithm="HMAC_SHA_256", Message=message)

    def test_data_key_pairs(self):
        key, context = self.key(), {"file": "2"}

        def check(private, public):
            got = serialization.load_der_private_key(private, password=None).public_key()
            self.assertEqual(got.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo), public)

        for spec in ("RSA_2048", "ECC_NIST_P256", "ECC_SECG_P256K1", "ECC_NIST_EDWARDS25519"):
            pair = self.client.generate_data_key_pair(KeyId=key, KeyPairSpec=spec, EncryptionContext=context)
            self.assertEqual((pair["KeyId"], pair["KeyPairSpec"]), (arn(key), spec))
            check(pair["PrivateKeyPlaintext"], pair["PublicKey"])
            opened = self.client.decrypt(CiphertextBlob=pair["PrivateKeyCiphertextBlob"], EncryptionContext=context)
            self.assertEqual(opened["Plaintext"], pair["PrivateKeyPlaintext"])
        pair = self.client.generate_data_key_pair_without_plaintext(KeyId=key, KeyPairSpec="ECC_NIST_P384")
        self.assertNotIn("PrivateKeyPlaintext", pair)
        self.crash()
        check(self.client.decrypt(CiphertextBlob=pair["PrivateKeyCiphertextBlob"])["Plaintext"], pair["PublicKey"])
        mac = self.key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
        self.refused("InvalidKeyUsageException", f"{arn(mac)} key usage is GENERATE_VERIFY_MAC which is not valid for GenerateDataKeyPair.",
                     self.client.generate_data_key_pair, KeyId=mac, KeyPairSpec="ECC_NIST_P256")

    def wrap(self, key, algorithm, material):
        """The request that imports material, wrapped by python3-cryptography."""
        got = self.client.get_parameters_for_import(KeyId=key, WrappingAlgorithm=algorithm, WrappingKeySpec="RSA_2048")
        valid = got["ParametersValidTo"] - datetime.datetime.now(datetime.timezone.utc)
        self.assertTrue(datetime.timedelta(hours=23.9) < valid <= datetime.timedelta(hours=24), valid)
        of = hashes.SHA256() if algorithm.endswith("256") else hashes.SHA1()
        public, oaep = serialization.load_der_public_key(got["PublicKey"]), padding.OAEP(mgf=padding.MGF1(of), algorithm=of, label=None)
        if algorithm.startswith("RSA_AES_KEY_WRAP"):  # RFC 5649 under a key that is wrapped itself
            aes = os.urandom(32)
            wrapped = public.encrypt(aes, oaep) + keywrap.aes_key_wrap_with_padding(aes, material)
        else:
            wrapped = public.encrypt(material, oaep)
        return {"KeyId": key, "ImportToken": got["ImportToken"], "EncryptedKeyMaterial": wrapped, "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}

    def test_import(self):
        key, other, ordinary = self.key(Origin="EXTERNAL"), self.key(Origin="EXTERNAL"), self.key()
        material = os.urandom(32)
        self.refused("KMSInvalidStateException", f"{arn(key)} is pending import.", self.client.encrypt, KeyId=key, Plaintext=b"x")
        request = self.wrap(key, "RSAES_OAEP_SHA_256", material)
        self.crash()
        valid_to = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) + datetime.timedelta(days=1)
        self.client.import_key_material(**{**request, "ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": valid_to})
        got = self.client.describe_key(KeyId=key)["KeyMetadata"]
        self.assertEqual((got["KeyState"], got["Origin"], got["ExpirationModel"], got["ValidTo"]), ("Enabled", "EXTERNAL", "KEY_MATERIAL_EXPIRES", valid_to))
        blob = self.client.encrypt(KeyId=key, Plaintext=b"kept")["CiphertextBlob"]
        self.client.delete_imported_key_material(KeyId=key)
        self.crash()
        self.assertEqual(self.client.describe_key(KeyId=key)["KeyMetadata"]["KeyState"], "PendingImport")
        self.refused("IncorrectKeyMaterialException", None, self.client.import_key_material, **self.wrap(key, "RSAES_OAEP_SHA_1", os.urandom(32)))
        self.client.import_key_material(**self.wrap(key, "RSAES_OAEP_SHA_1", material))
        self.assertEqual(self.client.decrypt(CiphertextBlob=blob)["Plaintext"], b"kept")

        request = self.wrap(other, "RSAES_OAEP_SHA_256", material)
        self.refused("InvalidImportTokenException", None, self.client.import_key_material, **{**request, "KeyId": key})
        self.refused("InvalidCiphertextException", "", self.client.import_key_material, **{**request, "EncryptedKeyMaterial": bytes(256)})
        del request["ExpirationModel"]
        self.refused("ValidationException", "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES", self.client.import_key_material, **request)
        self.refused("UnsupportedOperationException", f"{arn(ordinary)} origin is AWS_KMS which is not valid for this operation.",
                     self.client.get_parameters_for_import, KeyId=ordinary, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048")

    def test_imported_keys(self):
        pairs = {
            "RSA_3072": rsa.generate_private_key(public_exponent=65537, key_size=3072), "ECC_NIST_P521": ec.generate_private_key(ec.SECP521R1()),
            "ECC_SECG_P256K1": ec.generate_private_key(ec.SECP256K1()), "ECC_NIST_EDWARDS25519": ed25519.Ed25519PrivateKey.generate(),
        }
        secret = os.urandom(100)
        load = {spec: pair.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()) for spec, pair in pairs.items()}
        keys = {spec: self.key(KeySpec=spec, KeyUsage="SIGN_VERIFY", Origin="EXTERNAL") for spec in pairs}
        for spec, material in load.items():
            self.client.import_key_material(**self.wrap(keys[spec], "RSA_AES_KEY_WRAP_SHA_256", material))
        mac = self.key(KeySpec="HMAC_384", KeyUsage="GENERATE_VERIFY_MAC", Origin="EXTERNAL")
        self.client.import_key_material(**self.wrap(mac, "RSAES_OAEP_SHA_256", secret))
        self.crash()
        form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        for spec, pair in pairs.items():
            self.assertEqual(self.public(keys[spec]).public_bytes(*form), pair.public_key().public_bytes(*form), spec)
        signature = pairs["ECC_SECG_P256K1"].sign(b"message", ec.ECDSA(hashes.SHA256()))
        self.client.verify(KeyId=keys["ECC_SECG_P256K1"], SigningAlgorithm="ECDSA_SHA_256", Message=b"message", Signature=signature)
        signed = self.client.sign(KeyId=keys["ECC_NIST_EDWARDS25519"], SigningAlgorithm="ED25519_SHA_512", Message=b"message")
        self.assertEqual(signed["Signature"], pairs["ECC_NIST_EDWARDS25519"].sign(b"message"))
        want = hmac.HMAC(secret, hashes.SHA384())
        want.update(b"message")
        self.assertEqual(self.client.generate_mac(KeyId=mac, MacAlgorithm="HMAC_SHA_384", Message=b"message")["Mac"], want.finalize())

    def test_rotation(self):
        key, pair = self.key(), self.key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
        self.assertIs(self.client.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"], False)
        blob = self.client.encrypt(KeyId=key, Plaintext=b"old")["CiphertextBlob"]
        self.client.enable_key_rotation(KeyId=key)
        self.crash()
        self.assertIs(self.client.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"], True)
        if self.knows("RotateKeyOnDemand"):
            self.client.rotate_key_on_demand(KeyId=key)
            self.refused("UnsupportedOperationException", "", self.client.rotate_key_on_demand, KeyId=pair)
        if self.knows("ListKeyRotations"):
            pages = self.client.get_paginator("list_key_rotations").paginate(KeyId=key)
            self.assertEqual([r["RotationType"] for page in pages for r in page["Rotations"]], ["ON_DEMAND"])
        self.assertEqual(self.client.decrypt(CiphertextBlob=blob)["Plaintext"], b"old")
        self.client.disable_key_rotation(KeyId=key)
        self.assertIs(self.client.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"], False)
        self.refused("UnsupportedOperationException", "", self.client.enable_key_rotation, KeyId=pair)

    def test_newer_operations(self):
        """What of NEWER this boto3 knows, besides rotation. On Debian 12 it is none of it."""
        if self.knows("DeriveSharedSecret"):
            key, own = self.key(KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT"), ec.generate_private_key(ec.SECP256R1())
            public = own.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
            got = self.client.derive_shared_secret(KeyId=key, KeyAgreementAlgorithm="ECDH", PublicKey=public)
            self.assertEqual(got["SharedSecret"], own.exchange(ec.ECDH(), self.public(key)))
            self.refused("ValidationException", "", self.client.derive_shared_secret, KeyId=key, KeyAgreementAlgorithm="ECDH", PublicKey=b"noise")
        if self.knows("Encapsulate") and self.knows("Decapsulate"):
            key = self.key(KeySpec="ML_KEM_1024", KeyUsage="ENCAPSULATE_DECAPSULATE")
            made = self.client.encapsulate(KeyId=key, EncapsulationAlgorithm="ML_KEM")
            got = self.client.decapsulate(KeyId=key, EncapsulationAlgorithm="ML_KEM", SharedSecretCiphertextBlob=made["SharedSecretCiphertextBlob"])
            self.assertEqual(got["SharedSecret"], made["SharedSecret"])
        if self.knows("GetKeyLastUsage"):
            key = self.key()
            self.assertEqual(self.client.get_key_last_usage(KeyId=key)["KeyLastUsage"], {})
            self.client.encrypt(KeyId=key, Plaintext=b"x")
            self.assertEqual(self.client.get_key_last_usage(KeyId=key)["KeyLastUsage"]["Operation"], "Encrypt")

    def settled(self, client, key):
        """Waits until a multi-Region key has its last state, as programs do."""
        for _ in range(600):
            got = client.describe_key(KeyId=key)["KeyMetadata"]
            if got["KeyState"] not in ("Creating", "Updating"):
                return got
            time.sleep(0.05)
        self.fail(f"{key} is still {got['KeyState']}")

    def test_regions(self):
        away = "ap-northeast-1"
        key, single = self.key(MultiRegion=True), self.key()
        there = arn(key).replace(REGION, away)
        self.assertRegex(key, "^mrk-[0-9a-f]{32}$")
        made = self.client.replicate_key(KeyId=key, ReplicaRegion=away, Tags=[{"TagKey": "a", "TagValue": "b"}])
        self.assertEqual((made["ReplicaKeyMetadata"]["Arn"], made["ReplicaKeyMetadata"]["KeyState"], made["ReplicaTags"]),
                         (there, "Creating", [{"TagKey": "a", "TagValue": "b"}]))
        self.assertEqual(self.settled(self.connect(region=away), key)["MultiRegionConfiguration"]["MultiRegionKeyType"], "REPLICA")
        blob = self.client.encrypt(KeyId=key, Plaintext=b"both")["CiphertextBlob"]
        alone = self.client.encrypt(KeyId=single, Plaintext=b"one")["CiphertextBlob"]
        self.crash()
        abroad = self.connect(region=away)
        opened = abroad.decrypt(CiphertextBlob=blob)
        self.assertEqual((opened["Plaintext"], opened["KeyId"]), (b"both", there))
        self.refused("AccessDeniedException", "The ciphertext refers to a customer master key that does not exist, does not exist in this region, "
                     "or you are not allowed to access.", abroad.decrypt, CiphertextBlob=alone)
        self.refused("UnsupportedOperationException", f"{there} is not a multi-region primary key.", abroad.enable_key_rotation, KeyId=key)
        self.refused("UnsupportedOperationException", f"{arn(single)} is not a multi-region primary key.", self.client.replicate_key, KeyId=single, ReplicaRegion=away)
        self.refused("AlreadyExistsException", None, self.client.replicate_key, KeyId=key, ReplicaRegion=away)
        self.client.update_primary_region(KeyId=key, PrimaryRegion=away)
        self.assertEqual(self.settled(abroad, key)["MultiRegionConfiguration"]["MultiRegionKeyType"], "PRIMARY")
        self.assertEqual(self.settled(self.client, key)["MultiRegionConfiguration"]["MultiRegionKeyType"], "REPLICA")

    def test_grants(self):
        key, alice, bob = self.key(), f"arn:aws:iam::{ACCOUNT}:user/alice", f"arn:aws:iam::{ACCOUNT}:role/python"
        request = {"KeyId": key, "GranteePrincipal": alice, "RetiringPrincipal": bob, "Operations": ["Decrypt"], "Name": "python",
                   "Constraints": {"EncryptionContextSubset": {"a": "b"}}}
        iam = self.connect(service="iam")
        self.refused("InvalidArnException", f"GranteePrincipal does not exist: {alice}", self.client.create_grant, **request)
        iam.create_user(UserName="alice")
        self.refused("InvalidArnException", f"RetiringPrincipal does not exist: {bob}", self.client.create_grant, **request)
        iam.create_role(RoleName="python", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": {
            "Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}}))
        made = self.client.create_grant(**request)
        self.crash()
        again = self.client.create_grant(**request)
        self.assertEqual(again["GrantId"], made["GrantId"])
        entry = self.client.list_grants(KeyId=key)["Grants"][0]
        self.assertLess(abs(datetime.datetime.now(datetime.timezone.utc) - entry.pop("CreationDate")), datetime.timedelta(minutes=1))
        self.assertEqual(entry, {**request, "KeyId": arn(key), "GrantId": made["GrantId"], "IssuingAccount": f"arn:aws:iam::{ACCOUNT}:root"})
        del request["Name"]
        ids = [made["GrantId"]] + [self.client.create_grant(**request)["GrantId"] for _ in range(3)]

        def listed():
            for name, of in (("list_grants", {"KeyId": key}), ("list_retirable_grants", {"RetiringPrincipal": bob})):
                pages = self.client.get_paginator(name).paginate(**of, PaginationConfig={"PageSize": 2})
                yield sorted(g["GrantId"] for page in pages for g in page["Grants"])

        self.assertEqual(list(listed()), [sorted(ids)] * 2)
        self.client.encrypt(KeyId=key, Plaintext=b"x", GrantTokens=[made["GrantToken"]])
        self.client.retire_grant(GrantToken=made["GrantToken"])
        self.client.retire_grant(KeyId=arn(key), GrantId=ids[1])
        self.client.revoke_grant(KeyId=key, GrantId=ids[2])
        self.crash()
        self.assertEqual(list(listed()), [ids[3:]] * 2)
        self.refused("InvalidGrantTokenException", None, self.client.encrypt, KeyId=key, Plaintext=b"x", GrantTokens=[again["GrantToken"]])
        self.refused("NotFoundException", None, self.client.revoke_grant, KeyId=key, GrantId=ids[0])
        self.refused("InvalidGrantIdException", None, self.client.revoke_grant, KeyId=key, GrantId="id")
        self.refused("InvalidArnException", None, self.client.create_grant, **{**request, "GranteePrincipal": "alice"})
        self.refused("ValidationException", None, self.client.create_grant, **{**request, "Operations": ["Sign"]})
        self.refused("ValidationException", "Grant token OR (grant ID, key ID) must be specified", self.client.retire_grant, KeyId=arn(key))

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
