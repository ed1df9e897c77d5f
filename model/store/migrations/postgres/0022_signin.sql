-- Sessions and what signing in needs
SELECT 1;
