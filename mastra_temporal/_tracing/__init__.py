"""Traces of runs: options and context travel as Temporal headers, spans are OpenTelemetry's.

* `options`: what a caller may say about the trace of a run.
* `headers`: the two headers, and who reads and writes them.
* `interceptor`: puts the headers on calls, workflows and activities, and makes the spans of attempts.
* `otel`: everything that needs OpenTelemetry; imported only when somebody wants traces.
* ``execution/trace.py``: the spans of runs and steps, made by workflow code.
"""
