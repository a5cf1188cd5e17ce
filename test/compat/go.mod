module github.com/trent-kms/trent/test/compat

go 1.26.0

require (
	github.com/aws/aws-sdk-go-v2/service/kms v1.62.4
	github.com/google/go-cmp v0.7.0
	github.com/trent-kms/trent v0.0.0
)

require (
	github.com/aws/aws-sdk-go-v2 v1.47.7 // indirect
	github.com/aws/aws-sdk-go-v2/internal/configsources v1.5.10 // indirect
	github.com/aws/aws-sdk-go-v2/internal/endpoints/v2 v2.8.10 // indirect
	github.com/aws/smithy-go v1.28.8 // indirect
	github.com/go-json-experiment/json v1.27.2 // indirect
)

replace github.com/trent-kms/trent => ../..
