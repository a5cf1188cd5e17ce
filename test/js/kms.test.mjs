// The built server through the AWS SDK for JavaScript: every operation with success, and its errors.
import assert from 'node:assert/strict'
import * as crypto from 'node:crypto'
import { after, before, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { CreateRoleCommand, CreateUserCommand, IAMClient } from '@aws-sdk/client-iam'
import * as sdk from '@aws-sdk/client-kms'
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts'
import { binary, built, start, temporary } from './server.mjs'

const region = 'us-east-1'
const account = '000000000000'
const arn = (id) => `arn:aws:kms:${region}:${account}:key/${id}`
const nobody = '11111111-2222-4333-8444-555555555555'
const bytes = (text) => new TextEncoder().encode(text)
const none = 'UnknownError' // what the SDK makes of an error without a text

const home = temporary()
let program
let server
let client
const succeeded = new Set()
const failed = new Map()

function connect (id = 'test', secret = 'test', where = region) {
  return new sdk.KMSClient({ region: where, endpoint: server.url, maxAttempts: 1, credentials: { accessKeyId: id, secretAccessKey: secret } })
}

// call sends the command of an operation and notes its success.
async function call (operation, input = {}, through = client) {
  const output = await through.send(new sdk[`${operation}Command`](input))
  assert.match(output.$metadata.requestId, /^[0-9a-f-]{36}$/)
  succeeded.add(operation)
  return output
}

// refused asserts that a call fails with a code and exactly this text, and that the SDK has made it an error of its own
// class for the codes that it models.
async function refused (code, message, operation, input, through = client) {
  const error = await through.send(new sdk[`${operation}Command`](input)).then(() => undefined, (e) => e)
  assert.ok(error, `${operation} was not refused`)
  assert.equal(error.name, code, error.message)
  if (message !== undefined) assert.equal(error.message, message)
  assert.ok(error instanceof sdk.KMSServiceException)
  assert.ok(!sdk[code] || error instanceof sdk[code], `${code} is no ${code}`)
  assert.equal(error.$metadata.httpStatusCode, 400)
  failed.set(code, (failed.get(code) ?? 0) + 1)
}

async function newKey (input = {}) {
  return (await call('CreateKey', input)).KeyMetadata.KeyId
}

async function restart () {
  client.destroy()
  await server.kill()
  server = await start(program, '--dev', '--data-dir', `${home.path}/data`)
  client = connect()
}

before(async () => {
  program = binary(home.path)
  server = await start(program, '--dev', '--data-dir', `${home.path}/data`)
  client = connect()
})

after(async () => {
  client?.destroy()
  await server?.stop()
  home.remove()
})

test('a key is made, described, renamed, switched off and on', async () => {
  const { KeyMetadata: made } = await call('CreateKey', { Description: 'js', Tags: [{ TagKey: 'made', TagValue: 'here' }] })
  assert.equal(made.Arn, arn(made.KeyId))
  assert.equal(made.KeyState, 'Enabled')
  assert.equal(made.Enabled, true)
  assert.equal(made.MultiRegion, false)
  assert.deepEqual(made.EncryptionAlgorithms, ['SYMMETRIC_DEFAULT'])
  assert.ok(made.CreationDate instanceof Date && Math.abs(Date.now() - made.CreationDate) < 60_000)
  await call('UpdateKeyDescription', { KeyId: made.KeyId, Description: '' })
  await call('DisableKey', { KeyId: made.KeyId })
  await restart()
  const { KeyMetadata: off } = await call('DescribeKey', { KeyId: made.Arn })
  assert.deepEqual([off.KeyState, off.Enabled, off.Description], ['Disabled', false, ''])
  assert.deepEqual(off.CreationDate, made.CreationDate)
  await refused('DisabledException', `${made.Arn} is disabled.`, 'Encrypt', { KeyId: made.KeyId, Plaintext: bytes('x') })
  await call('EnableKey', { KeyId: made.KeyId })
  const { Keys, Truncated } = await call('ListKeys', { Limit: 1000 })
  assert.equal(Truncated, false)
  assert.ok(Keys.some((k) => k.KeyId === made.KeyId && k.KeyArn === made.Arn))
})

test('what is encrypted is decrypted, under the same context alone', async () => {
  const key = await newKey()
  const other = await newKey()
  const EncryptionContext = { tenant: 'blue', 'naïve ☂': '\u0000"', '': '' }
  const Plaintext = new Uint8Array(4096).map((_, i) => i)
  const sealed = await call('Encrypt', { KeyId: key, Plaintext, EncryptionContext })
  assert.ok(sealed.CiphertextBlob instanceof Uint8Array)
  assert.deepEqual([sealed.KeyId, sealed.EncryptionAlgorithm], [arn(key), 'SYMMETRIC_DEFAULT'])
  await restart()
  const opened = await call('Decrypt', { CiphertextBlob: sealed.CiphertextBlob, EncryptionContext })
  assert.deepEqual(new Uint8Array(opened.Plaintext), Plaintext)
  assert.match(opened.KeyMaterialId, /^[0-9a-f]{64}$/)
  const moved = await call('ReEncrypt', { CiphertextBlob: sealed.CiphertextBlob, SourceEncryptionContext: EncryptionContext, DestinationKeyId: other, DestinationEncryptionContext: { a: 'b' } })
  assert.deepEqual([moved.SourceKeyId, moved.KeyId], [arn(key), arn(other)])
  assert.deepEqual(new Uint8Array((await call('Decrypt', { CiphertextBlob: moved.CiphertextBlob, EncryptionContext: { a: 'b' } })).Plaintext), Plaintext)

  const flipped = Uint8Array.from(sealed.CiphertextBlob)
  flipped[flipped.length >> 1] ^= 0x80
  await refused('InvalidCiphertextException', none, 'Decrypt', { CiphertextBlob: flipped, EncryptionContext })
  await refused('InvalidCiphertextException', none, 'Decrypt', { CiphertextBlob: sealed.CiphertextBlob })
  await refused('InvalidCiphertextException', none, 'ReEncrypt', { CiphertextBlob: sealed.CiphertextBlob, DestinationKeyId: other })
  await refused('IncorrectKeyException', 'The key ID in the request does not identify a CMK that can perform this operation.', 'Decrypt', { KeyId: other, CiphertextBlob: sealed.CiphertextBlob, EncryptionContext })
  await refused('ValidationException', "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4096", 'Encrypt', { KeyId: key, Plaintext: new Uint8Array(4097) })
  await refused('InvalidKeyUsageException', 'Algorithm RSAES_OAEP_SHA_256 is incompatible with key spec SYMMETRIC_DEFAULT.', 'Encrypt', { KeyId: key, Plaintext: bytes('x'), EncryptionAlgorithm: 'RSAES_OAEP_SHA_256' })
  await refused('InvalidGrantTokenException', undefined, 'Encrypt', { KeyId: key, Plaintext: bytes('x'), GrantTokens: ['token'] })
  await refused('DryRunOperationException', 'The request would have succeeded, but the DryRun option is set.', 'Decrypt', { CiphertextBlob: sealed.CiphertextBlob, EncryptionContext, DryRun: true })

  const stranger = connect('111122223333')
  await refused('AccessDeniedException', 'The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.', 'Decrypt', { CiphertextBlob: sealed.CiphertextBlob, EncryptionContext }, stranger)
  stranger.destroy()
})

test('data keys and random bytes', async () => {
  const key = await newKey()
  for (const [size, want] of [[{ KeySpec: 'AES_128' }, 16], [{ KeySpec: 'AES_256' }, 32], [{ NumberOfBytes: 77 }, 77]]) {
    const made = await call('GenerateDataKey', { KeyId: key, ...size, EncryptionContext: { file: '1' } })
    assert.equal(made.Plaintext.length, want)
    const opened = await call('Decrypt', { CiphertextBlob: made.CiphertextBlob, EncryptionContext: { file: '1' } })
    assert.deepEqual(opened.Plaintext, made.Plaintext)
  }
  const { Plaintext, CiphertextBlob } = await call('GenerateDataKeyWithoutPlaintext', { KeyId: key, KeySpec: 'AES_256' })
  assert.equal(Plaintext, undefined)
  assert.equal((await call('Decrypt', { CiphertextBlob })).Plaintext.length, 32)
  assert.equal((await call('GenerateRandom', { NumberOfBytes: 1024 })).Plaintext.length, 1024)
  await refused('ValidationException', 'Please specify either number of bytes or key spec.', 'GenerateDataKey', { KeyId: key })
  await refused('ValidationException', 'NumberOfBytes is required.', 'GenerateRandom', {})
  await refused('ValidationException', "1 validation error detected: Value '1025' at 'numberOfBytes' failed to satisfy constraint: Member must have value less than or equal to 1024", 'GenerateRandom', { NumberOfBytes: 1025 })
})

test('aliases', async () => {
  const key = await newKey()
  const other = await newKey()
  await call('CreateAlias', { AliasName: 'alias/js', TargetKeyId: key })
  await refused('AlreadyExistsException', `An alias with the name arn:aws:kms:${region}:${account}:alias/js already exists`, 'CreateAlias', { AliasName: 'alias/js', TargetKeyId: key })
  await call('UpdateAlias', { AliasName: 'alias/js', TargetKeyId: other })
  await restart()
  const { Aliases } = await call('ListAliases', { KeyId: other })
  assert.deepEqual(Aliases.map((a) => [a.AliasName, a.AliasArn, a.TargetKeyId]), [['alias/js', `arn:aws:kms:${region}:${account}:alias/js`, other]])
  assert.ok(Aliases[0].LastUpdatedDate >= Aliases[0].CreationDate)
  for (let i = 0; i < 3; i++) await call('CreateAlias', { AliasName: `alias/page/${i}`, TargetKeyId: key })
  const names = []
  for await (const page of sdk.paginateListAliases({ client, pageSize: 2 }, {})) names.push(...page.Aliases.map((a) => a.AliasName))
  assert.deepEqual(names, ['alias/js', 'alias/page/0', 'alias/page/1', 'alias/page/2'])
  await call('DeleteAlias', { AliasName: 'alias/js' })
  await refused('NotFoundException', `Alias arn:aws:kms:${region}:${account}:alias/js is not found.`, 'DescribeKey', { KeyId: 'alias/js' })
  await refused('NotAuthorizedException', undefined, 'CreateAlias', { AliasName: 'alias/aws/js', TargetKeyId: key })
  await refused('ValidationException', 'Alias must start with the prefix "alias/". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html', 'CreateAlias', { AliasName: 'js', TargetKeyId: key })
  await refused('InvalidAliasNameException', undefined, 'CreateAlias', { AliasName: 'alias/', TargetKeyId: key })
  await refused('InvalidMarkerException', undefined, 'ListAliases', { Marker: 'mine' })
})

test('tags', async () => {
  const key = await newKey()
  await call('TagResource', { KeyId: key, Tags: [{ TagKey: 'a', TagValue: '' }, { TagKey: 'b', TagValue: 'ü' }] })
  await call('UntagResource', { KeyId: key, TagKeys: ['a'] })
  await restart()
  const { Tags, Truncated } = await call('ListResourceTags', { KeyId: key })
  assert.deepEqual([Tags, Truncated], [[{ TagKey: 'b', TagValue: 'ü' }], false])
  await refused('TagException', 'Duplicate tag keys', 'TagResource', { KeyId: key, Tags: [{ TagKey: 'a', TagValue: '' }, { TagKey: 'a', TagValue: '' }] })
  await refused('TagException', 'Tags beginning with aws: are reserved', 'CreateKey', { Tags: [{ TagKey: 'aws:a', TagValue: '' }] })
})

test('policies', async () => {
  const key = await newKey()
  const Policy = JSON.stringify({ Statement: { Effect: 'Allow', Principal: { AWS: account }, Action: 'kms:*', Resource: '*' } }, null, 3)
  await call('PutKeyPolicy', { KeyId: key, Policy })
  await restart()
  const got = await call('GetKeyPolicy', { KeyId: key })
  assert.deepEqual([got.Policy, got.PolicyName], [Policy, 'default'])
  assert.deepEqual((await call('ListKeyPolicies', { KeyId: key })).PolicyNames, ['default'])
  await refused('MalformedPolicyDocumentException', 'The new key policy will not allow you to update the key policy in the future.', 'PutKeyPolicy', { KeyId: key, Policy: Policy.replace('kms:*', 'kms:Get*') })
  await refused('LimitExceededException', undefined, 'PutKeyPolicy', { KeyId: key, Policy: ' '.repeat(32769) })
  await refused('NotFoundException', 'No such policy exists', 'GetKeyPolicy', { KeyId: key, PolicyName: 'other' })
})

test('a deletion waits, and can be cancelled', async () => {
  const key = await newKey()
  await refused('KMSInvalidStateException', `${arn(key)} is not pending deletion.`, 'CancelKeyDeletion', { KeyId: key })
  const planned = await call('ScheduleKeyDeletion', { KeyId: key, PendingWindowInDays: 7 })
  assert.deepEqual([planned.KeyId, planned.KeyState, planned.PendingWindowInDays], [arn(key), 'PendingDeletion', 7])
  const days = (planned.DeletionDate - Date.now()) / 86_400_000
  assert.ok(days > 6.99 && days <= 7)
  await restart()
  await refused('KMSInvalidStateException', `${arn(key)} is pending deletion.`, 'Encrypt', { KeyId: key, Plaintext: bytes('x') })
  assert.equal((await call('CancelKeyDeletion', { KeyId: key })).KeyId, arn(key))
  assert.equal((await call('DescribeKey', { KeyId: key })).KeyMetadata.KeyState, 'Disabled')
})

const dry = 'The request would have succeeded, but the DryRun option is set.'
const constants = crypto.constants

// publicKey is the public half of a key, as node uses it.
async function publicKey (KeyId) {
  const { PublicKey } = await call('GetPublicKey', { KeyId })
  return crypto.createPublicKey({ key: Buffer.from(PublicKey), format: 'der', type: 'spki' })
}

test('keys sign, and node verifies', async () => {
  const Message = bytes('the message that is signed')
  const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
  const made = []
  for (const [KeySpec, SigningAlgorithm, hash, how] of [
    ['RSA_2048', 'RSASSA_PSS_SHA_256', 'sha256', pss],
    ['RSA_2048', 'RSASSA_PKCS1_V1_5_SHA_512', 'sha512', {}],
    ['ECC_NIST_P256', 'ECDSA_SHA_256', 'sha256', {}],
    ['ECC_NIST_P384', 'ECDSA_SHA_384', 'sha384', {}],
    ['ECC_NIST_P521', 'ECDSA_SHA_512', 'sha512', {}],
    ['ECC_SECG_P256K1', 'ECDSA_SHA_256', 'sha256', {}],
    ['ECC_NIST_EDWARDS25519', 'ED25519_SHA_512', null, {}],
    ['ML_DSA_65', 'ML_DSA_SHAKE_256']
  ]) {
    const KeyId = await newKey({ KeySpec, KeyUsage: 'SIGN_VERIFY' })
    const { Signature, KeyId: by } = await call('Sign', { KeyId, SigningAlgorithm, Message })
    assert.equal(by, arn(KeyId))
    made.push({ KeyId, SigningAlgorithm, Message, Signature })
    if (!how) continue // node has no ML-DSA yet
    assert.ok(crypto.verify(hash, Message, { key: await publicKey(KeyId), ...how }, Signature), `${KeySpec} ${SigningAlgorithm}`)
    if (!hash) continue
    const digest = crypto.createHash(hash).update(Message).digest()
    assert.equal((await call('Verify', { KeyId, SigningAlgorithm, Message: digest, MessageType: 'DIGEST', Signature })).SignatureValid, true)
  }
  await restart()
  for (const input of made) {
    assert.equal((await call('Verify', input)).SignatureValid, true)
    await refused('KMSInvalidSignatureException', none, 'Verify', { ...input, Message: bytes('another') })
  }
  const [{ KeyId, SigningAlgorithm, Signature }] = made
  await refused('DryRunOperationException', dry, 'Sign', { KeyId, SigningAlgorithm, Message, DryRun: true })
  await refused('DryRunOperationException', dry, 'Verify', { KeyId, SigningAlgorithm, Message, Signature, DryRun: true })
  await refused('ValidationException', `Digest is invalid length for algorithm ${SigningAlgorithm}.`, 'Sign', { KeyId, SigningAlgorithm, Message, MessageType: 'DIGEST' })
  await refused('InvalidKeyUsageException', 'Algorithm ECDSA_SHA_256 is incompatible with key spec RSA_2048.', 'Sign', { KeyId, SigningAlgorithm: 'ECDSA_SHA_256', Message })
  const symmetric = await newKey()
  await refused('InvalidKeyUsageException', `${arn(symmetric)} key usage is ENCRYPT_DECRYPT which is not valid for Sign.`, 'Sign', { KeyId: symmetric, SigningAlgorithm, Message })
  await refused('UnsupportedOperationException', undefined, 'GetPublicKey', { KeyId: symmetric })
  await call('DisableKey', { KeyId })
  await refused('DisabledException', `${arn(KeyId)} is disabled.`, 'Sign', { KeyId, SigningAlgorithm, Message })
})

test('what node encrypts with a public key is decrypted', async () => {
  const KeyId = await newKey({ KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' })
  const key = await publicKey(KeyId)
  const Plaintext = new Uint8Array(190).map((_, i) => i)
  await restart()
  for (const [EncryptionAlgorithm, oaepHash] of [['RSAES_OAEP_SHA_1', 'sha1'], ['RSAES_OAEP_SHA_256', 'sha256']]) {
    const outside = crypto.publicEncrypt({ key, oaepHash, padding: constants.RSA_PKCS1_OAEP_PADDING }, Plaintext)
    const inside = (await call('Encrypt', { KeyId, EncryptionAlgorithm, Plaintext })).CiphertextBlob
    for (const CiphertextBlob of [outside, inside]) {
      assert.deepEqual(new Uint8Array((await call('Decrypt', { KeyId, EncryptionAlgorithm, CiphertextBlob })).Plaintext), Plaintext)
    }
  }
  await refused('ValidationException', 'Algorithm RSAES_OAEP_SHA_256 and key spec RSA_2048 cannot encrypt data larger than 190 bytes.', 'Encrypt', { KeyId, EncryptionAlgorithm: 'RSAES_OAEP_SHA_256', Plaintext: new Uint8Array(191) })
  await refused('InvalidCiphertextException', none, 'Decrypt', { KeyId, EncryptionAlgorithm: 'RSAES_OAEP_SHA_256', CiphertextBlob: new Uint8Array(256) })
})

test('message authentication codes', async () => {
  const Message = bytes('the message that is authenticated')
  const KeyId = await newKey({ KeySpec: 'HMAC_384', KeyUsage: 'GENERATE_VERIFY_MAC' })
  const { Mac } = await call('GenerateMac', { KeyId, MacAlgorithm: 'HMAC_SHA_384', Message })
  assert.equal(Mac.length, 48)
  await restart()
  assert.equal((await call('VerifyMac', { KeyId, MacAlgorithm: 'HMAC_SHA_384', Message, Mac })).MacValid, true)
  await refused('KMSInvalidMacException', none, 'VerifyMac', { KeyId, MacAlgorithm: 'HMAC_SHA_384', Message, Mac: Mac.subarray(1) })
  await refused('InvalidKeyUsageException', 'Algorithm HMAC_SHA_256 is incompatible with key spec HMAC_384.', 'GenerateMac', { KeyId, MacAlgorithm: 'HMAC_SHA_256', Message })
  await refused('DryRunOperationException', dry, 'GenerateMac', { KeyId, MacAlgorithm: 'HMAC_SHA_384', Message, DryRun: true })
  await refused('DryRunOperationException', dry, 'VerifyMac', { KeyId, MacAlgorithm: 'HMAC_SHA_384', Message, Mac, DryRun: true })
})

test('node derives the same keys from what was agreed on', async () => {
  const KeyAgreementAlgorithm = 'ECDH'
  const KeyId = await newKey({ KeySpec: 'ECC_NIST_P384', KeyUsage: 'KEY_AGREEMENT' })
  const own = crypto.generateKeyPairSync('ec', { namedCurve: 'P-384' })
  const spki = own.publicKey.export({ format: 'der', type: 'spki' })
  const here = crypto.diffieHellman({ privateKey: own.privateKey, publicKey: await publicKey(KeyId) })
  await restart()
  const there = await call('DeriveSharedSecret', { KeyId, KeyAgreementAlgorithm, PublicKey: spki })
  assert.deepEqual([there.KeyId, there.KeyAgreementAlgorithm, there.KeyOrigin], [arn(KeyId), 'ECDH', 'AWS_KMS'])
  const keys = [here, there.SharedSecret].map((secret) => Buffer.from(crypto.hkdfSync('sha384', secret, 'salt', 'info', 64)).toString('hex'))
  assert.equal(keys[0], keys[1])
  const other = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'der', type: 'spki' })
  await refused('ValidationException', undefined, 'DeriveSharedSecret', { KeyId, KeyAgreementAlgorithm, PublicKey: other })
  await refused('DryRunOperationException', dry, 'DeriveSharedSecret', { KeyId, KeyAgreementAlgorithm, PublicKey: spki, DryRun: true })
})

test('shared secrets are encapsulated', async () => {
  const EncapsulationAlgorithm = 'ML_KEM'
  const KeyId = await newKey({ KeySpec: 'ML_KEM_768', KeyUsage: 'ENCAPSULATE_DECAPSULATE' })
  const { SharedSecret, SharedSecretCiphertextBlob } = await call('Encapsulate', { KeyId, EncapsulationAlgorithm })
  assert.deepEqual([SharedSecret.length, SharedSecretCiphertextBlob.length], [32, 1088])
  await restart()
  const opened = await call('Decapsulate', { KeyId, EncapsulationAlgorithm, SharedSecretCiphertextBlob })
  assert.deepEqual(opened.SharedSecret, SharedSecret)
  await refused('InvalidCiphertextException', none, 'Decapsulate', { KeyId, EncapsulationAlgorithm, SharedSecretCiphertextBlob: SharedSecretCiphertextBlob.subarray(1) })
  await refused('DryRunOperationException', dry, 'Encapsulate', { KeyId, EncapsulationAlgorithm, DryRun: true })
  await refused('DryRunOperationException', dry, 'Decapsulate', { KeyId, EncapsulationAlgorithm, SharedSecretCiphertextBlob, DryRun: true })
})

test('pairs of data keys', async () => {
  const KeyId = await newKey()
  const EncryptionContext = { file: '2' }
  // checkPair holds a private key against its public key.
  const checkPair = (pkcs8, spki, type) => {
    const key = crypto.createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' })
    assert.equal(key.asymmetricKeyType, type)
    assert.deepEqual(crypto.createPublicKey(key).export({ format: 'der', type: 'spki' }), Buffer.from(spki))
  }
  for (const [KeyPairSpec, type] of [['RSA_2048', 'rsa'], ['ECC_NIST_P384', 'ec'], ['ECC_SECG_P256K1', 'ec'], ['ECC_NIST_EDWARDS25519', 'ed25519']]) {
    const pair = await call('GenerateDataKeyPair', { KeyId, KeyPairSpec, EncryptionContext })
    assert.deepEqual([pair.KeyId, pair.KeyPairSpec], [arn(KeyId), KeyPairSpec])
    checkPair(pair.PrivateKeyPlaintext, pair.PublicKey, type)
    const { Plaintext } = await call('Decrypt', { CiphertextBlob: pair.PrivateKeyCiphertextBlob, EncryptionContext })
    assert.deepEqual(Plaintext, pair.PrivateKeyPlaintext)
  }
  const pair = await call('GenerateDataKeyPairWithoutPlaintext', { KeyId, KeyPairSpec: 'ECC_NIST_P521', EncryptionContext })
  assert.equal(pair.PrivateKeyPlaintext, undefined)
  await restart()
  checkPair((await call('Decrypt', { CiphertextBlob: pair.PrivateKeyCiphertextBlob, EncryptionContext })).Plaintext, pair.PublicKey, 'ec')
  await refused('InvalidCiphertextException', none, 'Decrypt', { CiphertextBlob: pair.PrivateKeyCiphertextBlob })
  await refused('DryRunOperationException', dry, 'GenerateDataKeyPair', { KeyId, KeyPairSpec: 'RSA_4096', DryRun: true })
  await refused('DryRunOperationException', dry, 'GenerateDataKeyPairWithoutPlaintext', { KeyId, KeyPairSpec: 'RSA_4096', DryRun: true })
})

// wrap wraps material for a key with node's own cryptography and returns the request that imports it.
async function wrap (KeyId, WrappingAlgorithm, material) {
  const { PublicKey, ImportToken, ParametersValidTo } = await call('GetParametersForImport', { KeyId, WrappingAlgorithm, WrappingKeySpec: 'RSA_2048' })
  const hours = (ParametersValidTo - Date.now()) / 3_600_000
  assert.ok(hours > 23.9 && hours <= 24)
  const key = crypto.createPublicKey({ key: Buffer.from(PublicKey), format: 'der', type: 'spki' })
  const oaep = (bytes) => crypto.publicEncrypt({ key, oaepHash: WrappingAlgorithm.endsWith('256') ? 'sha256' : 'sha1', padding: constants.RSA_PKCS1_OAEP_PADDING }, bytes)
  let EncryptedKeyMaterial
  if (WrappingAlgorithm.startsWith('RSA_AES_KEY_WRAP')) { // RFC 5649 under a key that is wrapped itself
    const aes = crypto.randomBytes(32)
    const padded = crypto.createCipheriv('id-aes256-wrap-pad', aes, Buffer.from('a65959a6', 'hex'))
    EncryptedKeyMaterial = Buffer.concat([oaep(aes), padded.update(material), padded.final()])
  } else {
    EncryptedKeyMaterial = oaep(material)
  }
  return { KeyId, ImportToken, EncryptedKeyMaterial, ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' }
}

test('material is imported, taken away and brought back', async () => {
  const KeyId = await newKey({ Origin: 'EXTERNAL' })
  const material = crypto.randomBytes(32)
  await refused('KMSInvalidStateException', `${arn(KeyId)} is pending import.`, 'Encrypt', { KeyId, Plaintext: bytes('x') })
  const request = await wrap(KeyId, 'RSAES_OAEP_SHA_256', material)
  await restart()
  const ValidTo = new Date((Math.floor(Date.now() / 1000) + 3600) * 1000)
  const { KeyMaterialId } = await call('ImportKeyMaterial', { ...request, ValidTo, ExpirationModel: 'KEY_MATERIAL_EXPIRES', KeyMaterialDescription: 'first' })
  const { KeyMetadata: key } = await call('DescribeKey', { KeyId })
  assert.deepEqual([key.KeyState, key.CurrentKeyMaterialId, key.ExpirationModel, key.ValidTo], ['Enabled', KeyMaterialId, 'KEY_MATERIAL_EXPIRES', ValidTo])
  const { CiphertextBlob } = await call('Encrypt', { KeyId, Plaintext: bytes('kept') })

  const second = await call('ImportKeyMaterial', { ...await wrap(KeyId, 'RSAES_OAEP_SHA_1', crypto.randomBytes(32)), ImportType: 'NEW_KEY_MATERIAL' })
  await refused('KMSInvalidStateException', undefined, 'ImportKeyMaterial', { ...await wrap(KeyId, 'RSAES_OAEP_SHA_256', crypto.randomBytes(32)), ImportType: 'NEW_KEY_MATERIAL' })
  await call('RotateKeyOnDemand', { KeyId })
  await restart()
  assert.equal((await call('DescribeKey', { KeyId })).KeyMetadata.CurrentKeyMaterialId, second.KeyMaterialId)
  assert.equal((await call('Decrypt', { CiphertextBlob })).KeyMaterialId, KeyMaterialId)

  const gone = await call('DeleteImportedKeyMaterial', { KeyId, KeyMaterialId })
  assert.deepEqual([gone.KeyId, gone.KeyMaterialId], [arn(KeyId), KeyMaterialId])
  await refused('KMSInvalidStateException', `${arn(KeyId)} is pending import.`, 'Decrypt', { CiphertextBlob })
  await refused('IncorrectKeyMaterialException', undefined, 'ImportKeyMaterial', await wrap(KeyId, 'RSAES_OAEP_SHA_256', crypto.randomBytes(32)))
  await call('ImportKeyMaterial', await wrap(KeyId, 'RSAES_OAEP_SHA_256', material))
  assert.equal(Buffer.from((await call('Decrypt', { CiphertextBlob })).Plaintext).toString(), 'kept')

  const other = await newKey({ Origin: 'EXTERNAL' })
  const ordinary = await newKey()
  const wrapped = await wrap(other, 'RSAES_OAEP_SHA_256', material)
  await refused('InvalidImportTokenException', undefined, 'ImportKeyMaterial', { ...wrapped, KeyId })
  await refused('InvalidCiphertextException', none, 'ImportKeyMaterial', { ...wrapped, EncryptedKeyMaterial: wrapped.EncryptedKeyMaterial.subarray(1) })
  await refused('ValidationException', 'A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES', 'ImportKeyMaterial', { ...wrapped, ExpirationModel: undefined })
  await refused('UnsupportedOperationException', `${arn(ordinary)} origin is AWS_KMS which is not valid for this operation.`, 'GetParametersForImport', { KeyId: ordinary, WrappingAlgorithm: 'RSAES_OAEP_SHA_256', WrappingKeySpec: 'RSA_2048' })
  await refused('UnsupportedOperationException', `${arn(other)} origin is EXTERNAL which is not valid for this operation.`, 'EnableKeyRotation', { KeyId: other })
  await refused('KMSInvalidStateException', `No available key material pending rotation for the key: ${arn(KeyId)}.`, 'RotateKeyOnDemand', { KeyId })
})

test('imported keys do what node does with them', async () => {
  const Message = bytes('message')
  const rsa = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 })
  const edwards = crypto.generateKeyPairSync('ed25519')
  const pkcs8 = (pair) => pair.privateKey.export({ format: 'der', type: 'pkcs8' })
  const secret = crypto.randomBytes(64)
  const load = async (KeySpec, KeyUsage, algorithm, material) => {
    const KeyId = await newKey({ KeySpec, KeyUsage, Origin: 'EXTERNAL' })
    await call('ImportKeyMaterial', await wrap(KeyId, algorithm, material))
    return KeyId
  }
  const signer = await load('RSA_2048', 'SIGN_VERIFY', 'RSA_AES_KEY_WRAP_SHA_256', pkcs8(rsa))
  const quick = await load('ECC_NIST_EDWARDS25519', 'SIGN_VERIFY', 'RSA_AES_KEY_WRAP_SHA_1', pkcs8(edwards))
  const mac = await load('HMAC_512', 'GENERATE_VERIFY_MAC', 'RSAES_OAEP_SHA_256', secret)
  await restart()
  const signed = await call('Sign', { KeyId: signer, SigningAlgorithm: 'RSASSA_PKCS1_V1_5_SHA_256', Message })
  assert.deepEqual(Buffer.from(signed.Signature), crypto.sign('sha256', Message, rsa.privateKey))
  const Signature = crypto.sign(null, Message, edwards.privateKey)
  assert.equal((await call('Verify', { KeyId: quick, SigningAlgorithm: 'ED25519_SHA_512', Message, Signature })).SignatureValid, true)
  const { Mac } = await call('GenerateMac', { KeyId: mac, MacAlgorithm: 'HMAC_SHA_512', Message })
  assert.deepEqual(Buffer.from(Mac), crypto.createHmac('sha512', secret).update(Message).digest())
})

test('rotation', async () => {
  const KeyId = await newKey()
  const pair = await newKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' })
  const first = await call('Encrypt', { KeyId, Plaintext: bytes('first') })
  assert.equal((await call('GetKeyRotationStatus', { KeyId })).KeyRotationEnabled, false)
  await call('EnableKeyRotation', { KeyId, RotationPeriodInDays: 180 })
  const rotated = await call('RotateKeyOnDemand', { KeyId })
  assert.equal(rotated.KeyId, arn(KeyId))
  await restart()
  const status = await call('GetKeyRotationStatus', { KeyId })
  const days = (status.NextRotationDate - Date.now()) / 86_400_000
  assert.deepEqual([status.KeyRotationEnabled, status.RotationPeriodInDays], [true, 180])
  assert.ok(days > 179.9 && days <= 180)
  await call('RotateKeyOnDemand', { KeyId })
  const seen = []
  for await (const page of sdk.paginateListKeyRotations({ client, pageSize: 1 }, { KeyId, IncludeKeyMaterial: 'ALL_KEY_MATERIAL' })) {
    seen.push(...page.Rotations.map((r) => [r.KeyMaterialState, r.RotationType]))
  }
  assert.deepEqual(seen, [['NON_CURRENT', undefined], ['NON_CURRENT', 'ON_DEMAND'], ['CURRENT', 'ON_DEMAND']])
  const { Rotations } = await call('ListKeyRotations', { KeyId })
  assert.equal(Rotations.length, 2)
  assert.ok(Rotations[1].RotationDate >= Rotations[0].RotationDate)
  const opened = await call('Decrypt', { CiphertextBlob: first.CiphertextBlob })
  assert.notEqual(opened.KeyMaterialId, Rotations[1].KeyMaterialId)
  await call('DisableKeyRotation', { KeyId })
  assert.equal((await call('GetKeyRotationStatus', { KeyId })).NextRotationDate, undefined)
  await refused('UnsupportedOperationException', undefined, 'RotateKeyOnDemand', { KeyId: pair })
  await refused('UnsupportedOperationException', undefined, 'EnableKeyRotation', { KeyId: pair })
  await refused('ValidationException', "1 validation error detected: Value '89' at 'rotationPeriodInDays' failed to satisfy constraint: Member must have value greater than or equal to 90", 'EnableKeyRotation', { KeyId, RotationPeriodInDays: 89 })
  for (let i = 2; i < 25; i++) await call('RotateKeyOnDemand', { KeyId })
  await refused('LimitExceededException', `The on-demand rotations limit has been reached for the given keyId. No more on-demand rotations can be performed for this key: ${arn(KeyId)}`, 'RotateKeyOnDemand', { KeyId })
})

test('a key of two Regions', async () => {
  const away = 'eu-west-1'
  const awayArn = (id) => arn(id).replace(region, away)
  const KeyId = await newKey({ MultiRegion: true })
  const single = await newKey()
  assert.match(KeyId, /^mrk-[0-9a-f]{32}$/)
  const made = await call('ReplicateKey', { KeyId, ReplicaRegion: away, Description: 'away', Tags: [{ TagKey: 'a', TagValue: 'b' }] })
  const { KeyState, Enabled, Arn, Description } = made.ReplicaKeyMetadata
  assert.deepEqual([KeyState, Enabled, Arn, Description, made.ReplicaTags], ['Creating', false, awayArn(KeyId), 'away', [{ TagKey: 'a', TagValue: 'b' }]])
  // settled waits until the key has its last state in a Region, as programs do.
  const settled = async (where) => {
    const there = connect('test', 'test', where)
    for (let i = 0; i < 600; i++) {
      const { KeyMetadata } = await call('DescribeKey', { KeyId }, there)
      if (!['Creating', 'Updating'].includes(KeyMetadata.KeyState)) {
        there.destroy()
        return KeyMetadata
      }
      await setTimeout(50)
    }
    assert.fail(`${KeyId} does not settle`)
  }
  const replica = await settled(away)
  assert.equal(replica.MultiRegionConfiguration.MultiRegionKeyType, 'REPLICA')
  assert.deepEqual(replica.MultiRegionConfiguration.PrimaryKey, { Arn: arn(KeyId), Region: region })
  const { CiphertextBlob } = await call('Encrypt', { KeyId, Plaintext: bytes('both') })
  const alone = await call('Encrypt', { KeyId: single, Plaintext: bytes('one') })
  await restart()
  let there = connect('test', 'test', away)
  const opened = await call('Decrypt', { CiphertextBlob }, there)
  assert.deepEqual([Buffer.from(opened.Plaintext).toString(), opened.KeyId], ['both', awayArn(KeyId)])
  await refused('AccessDeniedException', 'The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.', 'Decrypt', { CiphertextBlob: alone.CiphertextBlob }, there)
  await refused('UnsupportedOperationException', `${awayArn(KeyId)} is not a multi-region primary key.`, 'RotateKeyOnDemand', { KeyId }, there)
  await refused('UnsupportedOperationException', `${arn(single)} is not a multi-region primary key.`, 'ReplicateKey', { KeyId: single, ReplicaRegion: away })
  await refused('AlreadyExistsException', undefined, 'ReplicateKey', { KeyId, ReplicaRegion: away })
  await refused('NotFoundException', `Key '${arn(KeyId).replace(region, 'eu-west-2')}' does not exist`, 'UpdatePrimaryRegion', { KeyId, PrimaryRegion: 'eu-west-2' })
  await call('UpdatePrimaryRegion', { KeyId, PrimaryRegion: away })
  there.destroy()
  await restart()
  assert.equal((await settled(away)).MultiRegionConfiguration.MultiRegionKeyType, 'PRIMARY')
  assert.equal((await settled(region)).MultiRegionConfiguration.MultiRegionKeyType, 'REPLICA')
  there = connect('test', 'test', away)
  await call('RotateKeyOnDemand', { KeyId }, there)
  there.destroy()
  assert.equal((await settled(region)).CurrentKeyMaterialId, (await settled(away)).CurrentKeyMaterialId)
})

test('grants', async () => {
  const KeyId = await newKey()
  const GranteePrincipal = `arn:aws:iam::${account}:user/alice`
  const RetiringPrincipal = `arn:aws:iam::${account}:role/js`
  const request = { KeyId, GranteePrincipal, RetiringPrincipal, Operations: ['Encrypt', 'Decrypt'], Name: 'js', Constraints: { EncryptionContextEquals: { a: 'b' } } }
  const iam = new IAMClient({ region, endpoint: server.url, maxAttempts: 1, credentials: { accessKeyId: 'test', secretAccessKey: 'test' } })
  const trust = { Version: '2012-10-17', Statement: { Effect: 'Allow', Principal: { AWS: account }, Action: 'sts:AssumeRole' } }
  await refused('InvalidArnException', `GranteePrincipal does not exist: ${GranteePrincipal}`, 'CreateGrant', request)
  await iam.send(new CreateUserCommand({ UserName: 'alice' }))
  await refused('InvalidArnException', `RetiringPrincipal does not exist: ${RetiringPrincipal}`, 'CreateGrant', request)
  await iam.send(new CreateRoleCommand({ RoleName: 'js', AssumeRolePolicyDocument: JSON.stringify(trust) }))
  iam.destroy()
  const made = await call('CreateGrant', request)
  await restart()
  const again = await call('CreateGrant', request)
  assert.equal(again.GrantId, made.GrantId)
  assert.notEqual(again.GrantToken, made.GrantToken)
  const { Grants: [entry] } = await call('ListGrants', { KeyId, GrantId: made.GrantId })
  assert.deepEqual({ ...entry, CreationDate: undefined }, { ...request, KeyId: arn(KeyId), GrantId: made.GrantId, IssuingAccount: `arn:aws:iam::${account}:root`, CreationDate: undefined })
  assert.ok(Math.abs(Date.now() - entry.CreationDate) < 60_000)
  await call('Encrypt', { KeyId, Plaintext: bytes('x'), GrantTokens: [made.GrantToken] })
  const ids = [made.GrantId]
  for (let i = 0; i < 3; i++) ids.push((await call('CreateGrant', { ...request, Name: undefined })).GrantId)
  const listed = async () => {
    const lists = [[], []]
    for await (const page of sdk.paginateListGrants({ client, pageSize: 2 }, { KeyId })) lists[0].push(...page.Grants.map((g) => g.GrantId))
    for await (const page of sdk.paginateListRetirableGrants({ client, pageSize: 2 }, { RetiringPrincipal })) lists[1].push(...page.Grants.map((g) => g.GrantId))
    return lists.map((list) => list.sort())
  }
  assert.deepEqual(await listed(), [ids.toSorted(), ids.toSorted()])
  assert.equal((await call('ListRetirableGrants', { RetiringPrincipal })).Truncated, false)
  await refused('DryRunOperationException', dry, 'RetireGrant', { GrantToken: made.GrantToken, DryRun: true })
  await call('RetireGrant', { GrantToken: again.GrantToken })
  await call('RetireGrant', { KeyId: arn(KeyId), GrantId: ids[1] })
  await call('RevokeGrant', { KeyId, GrantId: ids[2] })
  await restart()
  assert.deepEqual(await listed(), [[ids[3]], [ids[3]]])
  await refused('InvalidGrantTokenException', undefined, 'Encrypt', { KeyId, Plaintext: bytes('x'), GrantTokens: [made.GrantToken] })
  await refused('NotFoundException', undefined, 'RevokeGrant', { KeyId, GrantId: made.GrantId })
  await refused('InvalidGrantIdException', undefined, 'RevokeGrant', { KeyId, GrantId: 'id' })
  await refused('ValidationException', 'Grant token OR (grant ID, key ID) must be specified', 'RetireGrant', { KeyId: arn(KeyId) })
  await refused('ValidationException', undefined, 'CreateGrant', { ...request, Operations: ['Sign'] })
  await refused('InvalidArnException', undefined, 'CreateGrant', { ...request, GranteePrincipal: 'alice' })
  await refused('DryRunOperationException', dry, 'CreateGrant', { ...request, DryRun: true })
})

test('last usage', async () => {
  const KeyId = await newKey()
  const never = await call('GetKeyLastUsage', { KeyId })
  assert.deepEqual([never.KeyId, never.KeyLastUsage, never.TrackingStartDate], [KeyId, {}, never.KeyCreationDate])
  const used = await call('GenerateDataKeyWithoutPlaintext', { KeyId, KeySpec: 'AES_256' })
  const { KeyLastUsage: last } = await call('GetKeyLastUsage', { KeyId })
  assert.deepEqual([last.Operation, last.KmsRequestId], ['GenerateDataKeyWithoutPlaintext', used.$metadata.requestId])
  assert.match(last.CloudTrailEventId, /^[0-9a-f-]{36}$/)
  // An orderly end loses nothing.
  client.destroy()
  await server.stop()
  server = await start(program, '--dev', '--data-dir', `${home.path}/data`)
  client = connect()
  assert.deepEqual((await call('GetKeyLastUsage', { KeyId })).KeyLastUsage, last)
  await refused('NotFoundException', `Key '${arn(nobody)}' does not exist`, 'GetKeyLastUsage', { KeyId: nobody })
})

test('keys that are not there, or not for the caller', async () => {
  const key = await newKey()
  await refused('NotFoundException', `Key '${arn(nobody)}' does not exist`, 'DescribeKey', { KeyId: nobody })
  await refused('NotFoundException', "Invalid keyId 'nonsense'", 'EnableKey', { KeyId: 'nonsense' })
  await refused('InvalidArnException', 'Invalid arn arn:aws:kms', 'DisableKey', { KeyId: 'arn:aws:kms' })
  await refused('UnsupportedOperationException', 'CreateCustomKeyStore is not built in this version of Trent; docs/compatibility.md lists what is.', 'CreateCustomKeyStore', { CustomKeyStoreName: 'store' })
  const stranger = connect('111122223333')
  await refused('AccessDeniedException', `User: arn:aws:iam::111122223333:root is not authorized to perform: kms:DescribeKey on resource: ${arn(key)} because no resource-based policy allows the kms:DescribeKey action`, 'DescribeKey', { KeyId: arn(key) }, stranger)
  stranger.destroy()
})

test('signatures', async () => {
  const who = new STSClient({ region, endpoint: server.url, maxAttempts: 1, credentials: { accessKeyId: '444455556666', secretAccessKey: 'test' } })
  const { Arn, Account, UserId } = await who.send(new GetCallerIdentityCommand({}))
  assert.deepEqual([Arn, Account, UserId], ['arn:aws:iam::444455556666:root', '444455556666', '444455556666'])
  who.destroy()
  const wrong = connect('test', 'wrong')
  await refused('InvalidSignatureException', 'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.', 'ListKeys', {}, wrong)
  wrong.destroy()
  const unknown = connect('AKIAIOSFODNN7EXAMPLE')
  await refused('UnrecognizedClientException', 'The security token included in the request is invalid.', 'ListKeys', {}, unknown)
  unknown.destroy()
})

test('everything that is promised was called', () => {
  assert.ok(built.length >= 50, `only ${built.length} operations in docs/compatibility.md`)
  assert.deepEqual(built.filter((operation) => !succeeded.has(operation)), [])
  assert.ok(failed.size >= 26, `only ${failed.size} error codes: ${[...failed.keys()]}`)
})
