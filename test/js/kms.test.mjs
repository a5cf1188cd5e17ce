// The built server through the AWS SDK for JavaScript: every operation with success, and its errors.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import * as sdk from '@aws-sdk/client-kms'
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts'
import { binary, built, start, temporary } from './server.mjs'

const region = 'us-east-1'
const account = '000000000000'
const arn = (id) => `arn:aws:kms:${region}:${account}:key/${id}`
const nobody = '11111111-2222-4333-8444-555555555555'
const bytes = (text) => new TextEncoder().encode(text)

const home = temporary()
let program
let server
let client
const succeeded = new Set()
const failed = new Map()

function connect (id = 'test', secret = 'test') {
  return new sdk.KMSClient({ region, endpoint: server.url, maxAttempts: 1, credentials: { accessKeyId: id, secretAccessKey: secret } })
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
  await refused('InvalidCiphertextException', undefined, 'Decrypt', { CiphertextBlob: flipped, EncryptionContext })
  await refused('InvalidCiphertextException', undefined, 'Decrypt', { CiphertextBlob: sealed.CiphertextBlob })
  await refused('InvalidCiphertextException', undefined, 'ReEncrypt', { CiphertextBlob: sealed.CiphertextBlob, DestinationKeyId: other })
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

test('keys that are not there, or not for the caller', async () => {
  const key = await newKey()
  await refused('NotFoundException', `Key '${arn(nobody)}' does not exist`, 'DescribeKey', { KeyId: nobody })
  await refused('NotFoundException', "Invalid keyId 'nonsense'", 'EnableKey', { KeyId: 'nonsense' })
  await refused('InvalidArnException', 'Invalid arn arn:aws:kms', 'DisableKey', { KeyId: 'arn:aws:kms' })
  await refused('UnsupportedOperationException', undefined, 'EnableKeyRotation', { KeyId: key })
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
  assert.ok(built.length >= 24, `only ${built.length} operations in docs/compatibility.md`)
  assert.deepEqual(built.filter((operation) => !succeeded.has(operation)), [])
  assert.ok(failed.size >= 20, `only ${failed.size} error codes: ${[...failed.keys()]}`)
})
