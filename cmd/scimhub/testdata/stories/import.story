Story: Rows of an HR system: joiners, movers, leavers
Configuration: company

On 2027-03-01 08:00
  the operator imports from hr: userName,externalId,active,urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department | alice,1,true,Sales | bob,2,true,Sales | carol,3,true,Sales | dave,4,true,Sales
Then
  alice holds employee, sales
On 2027-03-02 08:00
  the operator imports from hr: userName,externalId,active,urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department | alice,1,true,Engineering | bob,2,true,Sales | carol,3,true,Sales | erin,5,true,Engineering
Then
  alice holds employee, engineer, oncall
  erin is active
  dave is leaver
  at crm dave has no account
On 2027-03-03 08:00
  the operator imports from hr: userName,externalId,active,urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department | alice,1,true,Engineering | bob,2,true,Sales | carol,3,true,Sales | dave,4,true,Sales | erin,5,true,Engineering
Then
  dave is active
  at crm dave has an account in sellers

Story: A part of the rows takes nobody away
Configuration: company

On 2027-03-01 08:00
  the operator imports from hr: userName,externalId,active,urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department | alice,1,true,Sales | bob,2,true,Sales | carol,3,true,Sales | dave,4,true,Sales
On 2027-03-02 08:00
  the operator imports from hr a part: userName,externalId,active,urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department | alice,1,true,Engineering
Then
  alice holds employee, engineer, oncall
  bob is active
  dave is active

Story: A shrunken full read is refused, and nothing changes
Configuration: company

On 2027-03-01 08:00
  the operator imports from hr: userName,externalId,active,urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department | alice,1,true,Sales | bob,2,true,Sales | carol,3,true,Sales | dave,4,true,Sales
On 2027-03-02 08:00
  the operator imports from hr: userName,externalId,active,urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department | alice,1,true,Engineering
  it is refused: 3
Then
  alice holds employee, sales
  bob is active
  at crm dave has an account in sellers
  the operator imports from hr: userName,externalId,active
  it is refused: 4
Then
  alice is active

Story: One bad row, and nothing of the file is taken
Configuration: company

On 2027-03-01 08:00
  the operator imports from hr: userName,externalId,active,urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department | alice,1,true,Sales | bob,2,true,Sales | carol,3,true,Sales | dave,4,true,Sales
On 2027-03-02 08:00
  the operator imports from hr: userName,externalId,active,urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department | alice,1,true,Engineering | bob,2,perhaps,Sales | carol,3,true,Sales | dave,4,true,Sales
  it is refused: active
Then
  alice holds employee, sales
