"""Signs what is recorded, has it dated by others, and verifies both with the `openssl` program: so that the record stands up without the auditor."""
