Story: A department that is missing is a finding, and so is a manager who left
Configuration: quality

On 2027-03-01 08:00
  hr pushes bob: department Sales, number 1
  hr pushes alice: department Sales, number 2, manager bob
Then
  alice has no findings
On 2027-03-02 08:00
  hr changes alice: department
  hr changes bob: active false
Then
  alice has the finding department
  alice has the finding bob

Story: Two people with one number
Configuration: quality

On 2027-03-01 08:00
  hr pushes bob: department Sales, number 1
  hr pushes alice: department Sales, number 2, manager bob
On 2027-03-02 08:00
  hr pushes carol: department Sales, number 2
Then
  alice has the finding carol
  carol has the finding alice
On 2027-03-03 08:00
  hr changes carol: number 3
Then
  alice has no findings
  carol has no findings

Story: A manager whom nobody knows, and one who is known later
Configuration: quality

On 2027-03-01 08:00
  hr pushes bob: department Sales, number 1
  hr pushes alice: department Sales, number 2, manager bob
On 2027-03-02 08:00
  hr changes alice: manager e-4711
Then
  alice has the finding e-4711
On 2027-03-03 08:00
  hr pushes dave: department Sales, number 4, externalId e-4711
  hr changes alice: title Clerk
Then
  alice has no findings
