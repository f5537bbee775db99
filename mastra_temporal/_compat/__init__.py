"""Every private member of Temporal's SDK and of OpenTelemetry that is used, each with its reason."""
