// The built server through the AWS SDK for JavaScript: users, roles, sessions and organizations as programs use them.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import * as iam from '@aws-sdk/client-iam'
import { CreateKeyCommand, KMSClient, ListKeysCommand } from '@aws-sdk/client-kms'
import * as organizations from '@aws-sdk/client-organizations'
import * as sts from '@aws-sdk/client-sts'
import { binary, start, temporary } from './server.mjs'

const account = '000000000000'
const allow = (action, more = {}) => JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: action, Resource: '*', ...more }] })
const trust = JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: { AWS: account }, Action: ['sts:AssumeRole', 'sts:TagSession'] }] })

const home = temporary()
let server
let root
const succeeded = new Set()

// connect returns the clients of somebody; without credentials, of the root user.
function connect ({ AccessKeyId = 'test', SecretAccessKey = 'test', SessionToken } = {}) {
  const credentials = { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken }
  const settings = { region: 'us-east-1', endpoint: server.url, maxAttempts: 1, credentials }
  return {
    iam: new iam.IAMClient(settings),
    kms: new KMSClient(settings),
    sts: new sts.STSClient(settings),
    organizations: new organizations.OrganizationsClient(settings)
  }
}

// call sends an operation of a service and notes its success.
async function call (who, service, operation, input = {}) {
  const sdk = { iam, sts, organizations }[service]
  const output = await who[service].send(new sdk[`${operation}Command`](input))
  succeeded.add(`${service}:${operation}`)
  return output
}

const asIAM = (operation, input) => call(root, 'iam', operation, input)

// refused asserts that a promise fails with a code, and that the SDK has made of it an error of its own class.
async function refused (promise, code, sdk, text) {
  const error = await promise.then(() => undefined, (e) => e)
  assert.ok(error, 'it was not refused')
  assert.equal(error.name, code, error.message)
  if (text) assert.match(error.message, text)
  if (sdk) assert.ok(error instanceof sdk, `${code} is no ${sdk.name}`)
}

async function newUser (name, policy) {
  await asIAM('CreateUser', { UserName: name })
  if (policy) await asIAM('PutUserPolicy', { UserName: name, PolicyName: 'own', PolicyDocument: policy })
  return (await asIAM('CreateAccessKey', { UserName: name })).AccessKey
}

before(async () => {
  server = await start(binary(home.path), '--dev')
  root = connect()
})

after(async () => {
  await server?.stop()
  home.remove()
})

test('users have access keys, tags and policies', async () => {
  const key = await newUser('ann', allow('iam:GetUser'))
  const ann = connect(key)
  const { User: user } = await call(ann, 'iam', 'GetUser', { UserName: 'ann' })
  assert.equal(user.Arn, `arn:aws:iam::${account}:user/ann`)
  assert.match(user.UserId, /^AIDA[A-Z2-7]{17}$/)
  assert.ok(user.CreateDate instanceof Date)
  assert.equal((await call(ann, 'sts', 'GetCallerIdentity')).Arn, user.Arn)
  await iam.waitUntilUserExists({ client: root.iam, maxWaitTime: 10 }, { UserName: 'ann' })
  await asIAM('TagUser', { UserName: 'ann', Tags: [{ Key: 'team', Value: 'blue' }] })
  assert.deepEqual((await asIAM('ListUserTags', { UserName: 'ann' })).Tags, [{ Key: 'team', Value: 'blue' }])
  assert.deepEqual((await asIAM('ListUserPolicies', { UserName: 'ann' })).PolicyNames, ['own'])
  const { PolicyDocument: document } = await asIAM('GetUserPolicy', { UserName: 'ann', PolicyName: 'own' })
  assert.equal(decodeURIComponent(document), allow('iam:GetUser'))
  await refused(call(ann, 'iam', 'ListUsers'), 'AccessDenied', iam.IAMServiceException, /user\/ann is not authorized to perform: iam:ListUsers .*because no identity-based policy allows the iam:ListUsers action$/)
  await refused(asIAM('CreateUser', { UserName: 'ANN' }), 'EntityAlreadyExistsException', iam.EntityAlreadyExistsException)
  await refused(asIAM('DeleteUser', { UserName: 'ann' }), 'DeleteConflictException', iam.DeleteConflictException)
  await asIAM('UpdateAccessKey', { UserName: 'ann', AccessKeyId: key.AccessKeyId, Status: 'Inactive' })
  assert.equal((await asIAM('ListAccessKeys', { UserName: 'ann' })).AccessKeyMetadata[0].Status, 'Inactive')
  await refused(call(ann, 'sts', 'GetCallerIdentity'), 'InvalidClientTokenId', sts.STSServiceException)
  await asIAM('DeleteAccessKey', { UserName: 'ann', AccessKeyId: key.AccessKeyId })
  await asIAM('DeleteUserPolicy', { UserName: 'ann', PolicyName: 'own' })
  await asIAM('DeleteUser', { UserName: 'ann' })
  await refused(asIAM('GetUser', { UserName: 'ann' }), 'NoSuchEntityException', iam.NoSuchEntityException)
})

test('roles are assumed', async () => {
  const { Role: role } = await asIAM('CreateRole', { RoleName: 'worker', AssumeRolePolicyDocument: trust, MaxSessionDuration: 7200 })
  await iam.waitUntilRoleExists({ client: root.iam, maxWaitTime: 10 }, { RoleName: 'worker' })
  const { Policy: policy } = await asIAM('CreatePolicy', { PolicyName: 'lists', PolicyDocument: allow('kms:ListKeys') })
  await asIAM('AttachRolePolicy', { RoleName: 'worker', PolicyArn: policy.Arn })
  const wendy = connect(await newUser('wendy', allow('sts:*')))
  const session = await call(wendy, 'sts', 'AssumeRole', { RoleArn: role.Arn, RoleSessionName: 'js', DurationSeconds: 900, Tags: [{ Key: 'tenant', Value: 'blue' }] })
  assert.equal(session.AssumedRoleUser.Arn, `arn:aws:sts::${account}:assumed-role/worker/js`)
  assert.ok(session.Credentials.Expiration > new Date())
  const worker = connect(session.Credentials)
  await worker.kms.send(new ListKeysCommand({}))
  await refused(worker.kms.send(new CreateKeyCommand({})), 'AccessDeniedException', undefined, /assumed-role\/worker\/js is not authorized to perform: kms:CreateKey/)
  const { Credentials: own } = await call(wendy, 'sts', 'GetSessionToken', {})
  assert.equal((await call(connect(own), 'sts', 'GetCallerIdentity')).Arn, `arn:aws:iam::${account}:user/wendy`)
  assert.match((await call(wendy, 'sts', 'GetFederationToken', { Name: 'guest' })).FederatedUser.Arn, /:federated-user\/guest$/)
  await asIAM('UpdateAssumeRolePolicy', { RoleName: 'worker', PolicyDocument: trust.replace('Allow', 'Deny') })
  await refused(call(wendy, 'sts', 'AssumeRole', { RoleArn: role.Arn, RoleSessionName: 'js' }), 'AccessDenied', sts.STSServiceException, /with an explicit deny in a resource-based policy/)
  // without its policy the session can do nothing more, and neither can it when the role is gone
  await asIAM('DetachRolePolicy', { RoleName: 'worker', PolicyArn: policy.Arn })
  await refused(worker.kms.send(new ListKeysCommand({})), 'AccessDeniedException')
  await asIAM('DeleteRole', { RoleName: 'worker' })
  await asIAM('DeletePolicy', { PolicyArn: policy.Arn })
  await refused(worker.kms.send(new ListKeysCommand({})), 'UnrecognizedClientException')
})

test('policies have versions, and lists have pages', async () => {
  const { Policy: policy } = await asIAM('CreatePolicy', { PolicyName: 'versions', Path: '/js/', PolicyDocument: allow('kms:Encrypt') })
  await iam.waitUntilPolicyExists({ client: root.iam, maxWaitTime: 10 }, { PolicyArn: policy.Arn })
  const { PolicyVersion: second } = await asIAM('CreatePolicyVersion', { PolicyArn: policy.Arn, PolicyDocument: allow('kms:Decrypt'), SetAsDefault: true })
  assert.deepEqual([second.VersionId, second.IsDefaultVersion], ['v2', true])
  await asIAM('SetDefaultPolicyVersion', { PolicyArn: policy.Arn, VersionId: 'v1' })
  await asIAM('DeletePolicyVersion', { PolicyArn: policy.Arn, VersionId: 'v2' })
  assert.equal((await asIAM('ListPolicyVersions', { PolicyArn: policy.Arn })).Versions.length, 1)
  assert.equal((await asIAM('GetPolicy', { PolicyArn: policy.Arn })).Policy.DefaultVersionId, 'v1')
  await refused(asIAM('CreatePolicy', { PolicyName: 'bad', PolicyDocument: '{' }), 'MalformedPolicyDocumentException', iam.MalformedPolicyDocumentException)
  for (let n = 0; n < 3; n++) await asIAM('CreateUser', { UserName: `page-${n}`, Path: '/js/' })
  const pages = []
  for await (const page of iam.paginateListUsers({ client: root.iam, pageSize: 2 }, { PathPrefix: '/js/' })) pages.push(page.Users.length)
  assert.deepEqual(pages, [2, 1])
  succeeded.add('iam:ListUsers')
})

test('a simulation says what would be decided', async () => {
  await newUser('sim', allow('kms:Decrypt', { Condition: { StringEquals: { 'kms:EncryptionContext:tenant': 'blue' } } }))
  for (const [tenant, want] of [['blue', 'allowed'], ['red', 'implicitDeny']]) {
    const { EvaluationResults: results } = await asIAM('SimulatePrincipalPolicy', {
      PolicySourceArn: `arn:aws:iam::${account}:user/sim`,
      ActionNames: ['kms:Decrypt'],
      ContextEntries: [{ ContextKeyName: 'kms:EncryptionContext:tenant', ContextKeyType: 'string', ContextKeyValues: [tenant] }]
    })
    assert.equal(results[0].EvalDecision, want)
  }
})

test('an organization binds its accounts', async () => {
  const boss = connect({ AccessKeyId: '999988887777' })
  const org = (operation, input) => call(boss, 'organizations', operation, input)
  await refused(org('DescribeOrganization'), 'AWSOrganizationsNotInUseException', organizations.AWSOrganizationsNotInUseException)
  await org('CreateOrganization', { FeatureSet: 'ALL' })
  const { Roots: [{ Id: top }] } = await org('ListRoots')
  await org('EnablePolicyType', { RootId: top, PolicyType: 'SERVICE_CONTROL_POLICY' })
  const { CreateAccountStatus: made } = await org('CreateAccount', { AccountName: 'shop', Email: 'shop@example.com' })
  assert.equal((await org('DescribeCreateAccountStatus', { CreateAccountRequestId: made.Id })).CreateAccountStatus.State, 'SUCCEEDED')
  const { Policy: { PolicySummary: rule } } = await org('CreatePolicy', { Name: 'no', Description: '', Type: 'SERVICE_CONTROL_POLICY', Content: allow('kms:CreateKey').replace('Allow', 'Deny') })
  await org('AttachPolicy', { PolicyId: rule.Id, TargetId: made.AccountId })
  const shop = connect({ AccessKeyId: made.AccountId })
  await refused(shop.kms.send(new CreateKeyCommand({})), 'AccessDeniedException', undefined, new RegExp(`with an explicit deny in a service control policy: ${rule.Arn}$`))
  await org('DetachPolicy', { PolicyId: rule.Id, TargetId: made.AccountId })
  await shop.kms.send(new CreateKeyCommand({}))
  let accounts = 0
  for await (const page of organizations.paginateListAccounts({ client: boss.organizations, pageSize: 1 }, {})) accounts += page.Accounts.length
  assert.equal(accounts, 2)
})

test('enough was called', () => {
  assert.ok(succeeded.size >= 38, `only ${succeeded.size} operations: ${[...succeeded].sort()}`)
})
