"""All uses of private members of Temporal's SDK and of OpenTelemetry, each with its reason."""
