package kms

import (
	"context"
	"strings"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/internal/uuid"
)

// managedServices are the AWS services that have a key of their own in an account, with what DescribeKey says of it.
// The list bounds what a caller can bring into being by naming it.
var managedServices = map[string]string{
	"acm": "ACM private keys", "backup": "Backup vaults", "cloud9": "Cloud9 environments", "codecommit": "CodeCommit repositories",
	"connect": "Connect data", "dms": "DMS replications", "dynamodb": "DynamoDB tables", "ebs": "EBS volumes",
	"elasticfilesystem": "EFS file systems", "es": "OpenSearch domains", "fsx": "FSx file systems", "glue": "Glue data",
	"kafka": "MSK clusters", "kinesis": "Kinesis streams", "kinesisvideo": "Kinesis video streams", "lambda": "Lambda functions",
	"rds": "RDS databases", "redshift": "Redshift clusters", "s3": "S3 objects", "secretsmanager": "Secrets Manager secrets",
	"sns": "SNS topics", "sqs": "SQS queues", "ssm": "SSM parameters", "workspaces": "WorkSpaces volumes", "xray": "X-Ray traces",
}

// managedService returns the service that an alias belongs to, or "".
func managedService(alias string) string {
	name, ok := strings.CutPrefix(alias, "alias/aws/")
	if _, known := managedServices[name]; !ok || !known {
		return ""
	}
	return name
}

// viaService is by whose requests a service's key is used: volumes of EBS are encrypted by EC2.
func viaService(name string) string {
	if name == "ebs" {
		return "ec2"
	}
	return name
}

// newManaged is the key of an AWS service as it comes into being, without its material.
func newManaged(c *service.Call, r ref) *Key {
	name := managedService(r.alias)
	return &Key{
		Version: recordVersion, Account: r.account, Region: r.region, ID: uuid.New(), Created: c.Now, Service: name,
		Description: "Default key that protects my " + managedServices[name] + " when no other key is defined",
		Spec:        kmsapi.KeySpecSymmetricDefault, Usage: kmsapi.KeyUsageTypeEncryptDecrypt,
		Origin: kmsapi.OriginTypeAwsKms, State: kmsapi.KeyStateEnabled, Aliases: []string{r.alias},
		Policy: managedPolicy(name, r), Rotation: Rotation{Period: managedRotationDays, Next: c.Now.Add(days(managedRotationDays))},
	}
}

// createManaged commits the key of an AWS service together with its alias, in one transaction. Of two callers at the
// same moment one conflicts.
func (s *Service) createManaged(ctx context.Context, k *Key) error {
	k = k.clone() // the target keeps its own: nobody may see a key without material
	a := &Alias{Version: recordVersion, Target: k.ID, Created: k.Created, Updated: k.Created}
	path := aliasPath(k.Account, k.Region, k.Aliases[0])
	p, err := s.aliases.Put(path, a)
	if err != nil {
		return err
	}
	t := store.Txn{Checks: []store.Check{{Key: path}}, Puts: []store.Put{p}}
	if err := s.addKey(ctx, &t, k); err != nil {
		return err
	}
	return s.commit(ctx, t)
}

// managedPolicy is the key policy of a service's key: everybody in the account through that service, and the account
// may look (KMS Developer Guide, "Viewing the key policy for an AWS managed key").
func managedPolicy(service string, r ref) string {
	return `{
  "Version" : "2012-10-17",
  "Id" : "auto-` + service + `-1",
  "Statement" : [ {
    "Sid" : "Allow access through ` + service + ` for all principals in the account that are authorized to use it",
    "Effect" : "Allow",
    "Principal" : { "AWS" : "*" },
    "Action" : [ "kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:CreateGrant", "kms:DescribeKey" ],
    "Resource" : "*",
    "Condition" : { "StringEquals" : { "kms:CallerAccount" : "` + r.account + `", "kms:ViaService" : "` + viaService(service) + `.` + r.region + `.amazonaws.com" } }
  }, {
    "Sid" : "Allow direct access to key metadata to the account",
    "Effect" : "Allow",
    "Principal" : { "AWS" : "arn:aws:iam::` + r.account + `:root" },
    "Action" : [ "kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant" ],
    "Resource" : "*"
  } ]
}`
}
