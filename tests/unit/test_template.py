from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from mastra_temporal._data.path import MISSING
from mastra_temporal._definition.template import check_template, render_template
from mastra_temporal.errors import DefinitionError, MappingError


@dataclass
class Data:
    init_data: Any = None
    input_data: Any = None
    state: Any = None
    request_context: Mapping[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)

    def step_output(self, step_id: str) -> Any:
        return self.outputs.get(step_id, MISSING)


def render(template: str, **data: Any) -> str:
    check_template(template)
    return render_template(template, Data(**data))


def test_every_scope() -> None:
    text = render(
        "${inputData.a.b} ${initData.city} ${state.phase} ${requestContext.u.id} ${stepResults.s.n} ${stepResults.t}",
        input_data={"a": {"b": "in"}},
        init_data={"city": "Oslo"},
        state={"phase": "draft"},
        request_context={"u.id": "u-1"},
        outputs={"s": {"n": 3}, "t": "hello"},
    )
    assert text == "in Oslo draft u-1 3 hello"


def test_text_without_placeholders_stays() -> None:
    assert render("$5 {x} $ {y}") == "$5 {x} $ {y}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (1.0, "1"),
        (-0.0, "0"),
        (1.5, "1.5"),
        (-2.50, "-2.5"),
        (0.00001, "0.00001"),
        (0.0000015, "0.0000015"),
        (1e-7, "1e-7"),
        (1.5e-10, "1.5e-10"),
        (1e16, "10000000000000000"),
        (123456789012345680000.0, "123456789012345680000"),
        (1e21, "1e+21"),
        (1.5e300, "1.5e+300"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        ("naïve ☃", "naïve ☃"),
        ([], "[]"),
        ({}, "{}"),
        (
            {"a": 1.0, "b": [None, True, "é\n"], "c": float("nan"), "d": {"e": 1e-7}},
            '{"a":1,"b":[null,true,"é\\n"],"c":null,"d":{"e":1e-7}}',
        ),
    ],
)
def test_values_are_written_as_javascript_writes_them(value: Any, text: str) -> None:
    assert render("<${inputData.v}>", input_data={"v": value}) == f"<{text}>"


def test_missing_values_are_empty() -> None:
    assert render("[${inputData.gone}${inputData}${requestContext.gone}]", input_data={}) == "[{}]"
    assert render("[${inputData}]") == "[]"
    assert render("[${stepResults.a.gone}]", outputs={"a": {}}) == "[]"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (
            "x ${} y",
            "Template placeholder #1 (${}) in 'x ${} y' has empty or whitespace-padded contents. "
            "Use ${<scope>.<path>} with no surrounding whitespace.",
        ),
        (
            "${inputData.a} ${ inputData.b }",
            "Template placeholder #2 (${ inputData.b }) in '${inputData.a} ${ inputData.b }' has empty or "
            "whitespace-padded contents. Use ${<scope>.<path>} with no surrounding whitespace.",
        ),
        (
            "${foo.bar}",
            "Template placeholder #1 (${foo.bar}) in '${foo.bar}' references unknown namespace \"foo\". "
            "Use one of: inputData, initData, state, requestContext, stepResults.",
        ),
        (
            "${stepResults.}",
            "Template placeholder #1 (${stepResults.}) in '${stepResults.}' must be of the form "
            "${stepResults.<stepId>} or ${stepResults.<stepId>.<path>}.",
        ),
        (
            "${requestContext}",
            "Template placeholder #1 (${requestContext}) in '${requestContext}' requires a request-context key"
            " — use ${requestContext.<key>}.",
        ),
        (5, 'A template must be text such as "Hello ${inputData.name}", not 5.'),
    ],
)
def test_a_malformed_template_is_refused_where_it_is_defined(template: Any, message: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        check_template(template)
    assert str(caught.value) == message


@pytest.mark.parametrize("outputs", [{}, {"a": None}])
def test_a_step_without_output_is_named(outputs: dict[str, Any]) -> None:
    with pytest.raises(MappingError) as caught:
        render("${inputData}${stepResults.a.x}", outputs=outputs)
    assert str(caught.value) == (
        "Template placeholder #2 (${stepResults.a.x}) in '${inputData}${stepResults.a.x}' references stepResults.a "
        'but step "a" has no successful output (not run yet, not registered, failed, or produced no output).'
    )


def test_a_path_into_a_scalar_is_named() -> None:
    with pytest.raises(MappingError) as caught:
        render("${inputData.name.oops}", input_data={"name": "Ann"})
    assert str(caught.value) == (
        "Invalid path name.oops in Template placeholder #1 (${inputData.name.oops}) in '${inputData.name.oops}'"
    )
