-- Imports, and what is known of sources as a whole.
SELECT 1;
