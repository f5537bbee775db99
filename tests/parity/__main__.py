"""Write `docs/parity.md` anew: ``python -m tests.parity``."""

from tests.parity.page import PAGE, collected, mistakes, page

proofs = collected()
if found := mistakes(proofs):
    raise SystemExit("\n".join(found))
PAGE.write_text(page(proofs))
