"""The bundled archive and the generators that wrote it."""
