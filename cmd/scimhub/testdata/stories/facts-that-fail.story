Story: A rule that fails takes nothing from those who hold its role, and gives it to nobody else
Configuration: fragile

On 2027-03-01 08:00
  hr pushes alice: email alice@docs.example
  hr pushes bob: title Clerk
Then
  alice holds employee, writer
  # Bob has no e-mail address, which this rule needs and does not ask for.
  bob holds employee
  bob has the finding writer
On 2027-03-02 08:00
  hr changes alice: email
Then
  alice holds employee, writer
  at wiki alice has an account
  alice has the finding writer
On 2027-03-03 08:00
  hr changes alice: email alice@elsewhere.example
Then
  alice holds employee
  at wiki alice has no account

Story: A last day that cannot be read takes nobody's access
Configuration: company

On 2027-03-01 08:00
  hr pushes alice: department Sales, end 2027-12-31
On 2027-03-02 08:00
  hr changes alice: end soon
Then
  alice is active
  at crm alice has an account in sellers
  alice has the finding endDate
On 2028-01-02 08:00
Then
  alice is active

Story: A first day that cannot be read lets nobody in
Configuration: company

On 2027-03-01 08:00
  hr pushes alice: department Sales, start tomorrow
Then
  alice is prehire
  at crm alice has no account
  alice has the finding startDate
On 2027-03-01 09:00
  hr changes alice: start 2027-03-01
Then
  alice is active
  at crm alice has an account in sellers

Story: A leaver leaves though a date of theirs cannot be read
Configuration: company

On 2027-03-01 08:00
  hr pushes alice: department Sales
On 2027-03-02 08:00
  hr changes alice: active false, end soon
Then
  alice is leaver
  at crm alice has no account

Story: An export that lost a fact which everybody should have takes nothing, and gives nothing
Configuration: required

On 2027-03-01 08:00
  hr pushes alice: department Sales
  hr pushes bob: department Legal
  hr pushes carol
Then
  alice holds employee, notices, sales
  bob holds employee
  carol holds employee
  carol has the finding department is missing
On 2027-03-02 08:00
  hr changes alice: department
  hr changes bob: department
Then
  alice holds employee, notices, sales
  at crm alice has an account
  alice has the finding keeps them meanwhile
  bob holds employee
On 2027-03-03 08:00
  hr changes alice: department Finance
  hr changes carol: department Sales
Then
  alice holds employee, notices
  at crm alice has no account
  carol holds employee, notices, sales
# Who leaves, leaves: whatever is missing.
On 2027-03-04 08:00
  hr changes carol: department, active false
Then
  carol is leaver
  at crm carol has no account
