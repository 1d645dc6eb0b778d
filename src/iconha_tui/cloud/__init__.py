"""AWS through boto3: one thin client, and its error codes turned into sentences."""
