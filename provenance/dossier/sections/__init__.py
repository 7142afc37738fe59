"""The sections of a dossier: each turns a part of the study document into blocks."""
