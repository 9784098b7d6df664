"""The generators that wrote the bundled archive (extractors/bundled/archive) from figures at hand; a run needs none of them."""
