"""Tracing of runs. Options and trace context are sent as Temporal headers, and spans are OpenTelemetry's.

* `options`: the tracing options of a caller.
* `headers`: the two headers, and how they are read and written.
* `interceptor`: adds the headers to calls, workflows and activities, and creates the spans of attempts.
* `otel`: everything that needs OpenTelemetry. It is imported only if traces are wanted.
* ``_worker/workflow/trace.py``: the spans of runs and steps, created by workflow code.
"""
