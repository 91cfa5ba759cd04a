-- The user that a token is about, whose part its bearer may take.
ALTER TABLE token ADD COLUMN subject {text};
