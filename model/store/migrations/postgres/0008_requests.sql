-- Requests for roles, approvals, deputies.
SELECT 1;
